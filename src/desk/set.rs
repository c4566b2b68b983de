//! All desks of the configuration, by key.

use super::definition::Definition;
use super::live::HttpDesk;
use crate::config::DeskSettings;
use crate::engine::ports::{Desk, Desks};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All desks of the configuration.
#[derive(Debug, Default)]
pub struct DeskSet(BTreeMap<String, Arc<HttpDesk>>);

impl DeskSet {
    /// Desks from their settings. Every problem is reported, each with the desk's name.
    pub fn new(settings: &BTreeMap<String, DeskSettings>) -> Result<DeskSet, Vec<String>> {
        let mut desks = BTreeMap::new();
        let mut problems = Vec::new();
        for (key, one) in settings {
            let desk = match Definition::parse(&one.source.origin, &one.source.text) {
                Ok(definition) => HttpDesk::new(Arc::new(definition), one),
                Err(found) => Err(found.iter().map(|p| format!("desk `{key}`: {}: {}", p.file, p.message)).collect::<Vec<_>>().join("\n")),
            };
            match desk {
                Ok(desk) => {
                    desks.insert(key.clone(), Arc::new(desk));
                }
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(DeskSet(desks)) } else { Err(problems) }
    }

    /// One desk.
    pub(crate) fn of(key: &str, desk: Arc<HttpDesk>) -> DeskSet {
        DeskSet(BTreeMap::from([(key.to_owned(), desk)]))
    }

    /// A desk with all that its definition can do, beyond the engine's port.
    pub fn get(&self, key: &str) -> Option<&Arc<HttpDesk>> {
        self.0.get(key)
    }
}

impl Desks for DeskSet {
    fn desk(&self, key: &str) -> Option<Arc<dyn Desk>> {
        self.0.get(key).map(|d| d.clone() as Arc<dyn Desk>)
    }
}
