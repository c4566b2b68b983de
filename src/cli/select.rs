//! Choosing probes by name, by tag, or all.

use super::exit::Exit;
use super::{Failure, assemble};
use crate::config::Config;
use crate::model::Probe;

/// A selection of the command line.
#[derive(Debug, Clone, Default)]
pub struct Selection<'a> {
    /// Names.
    pub names: &'a [String],
    /// Any of these tags.
    pub tags: &'a [String],
    /// Every probe, with its variants.
    pub all: bool,
    /// The variants of the named probes too.
    pub variants: bool,
}

/// The chosen probes: named ones in the order of the command line, then others by name, each once.
///
/// # Errors
/// Exit 4 for a name that no probe has, and when nothing is left to do.
pub fn select(config: &Config, selection: &Selection<'_>) -> Result<Vec<Probe>, Failure> {
    let mut chosen: Vec<Probe> = Vec::new();
    for name in selection.names {
        let probe = config.probes.get(name).ok_or_else(|| unknown_probe(config, name))?;
        if !chosen.iter().any(|p| p.name == *name) {
            chosen.push(probe.clone());
        }
        let of_this = |p: &&Probe| selection.variants && p.variant_of.as_ref() == Some(name);
        for variant in config.probes.values().filter(of_this) {
            if !chosen.iter().any(|p| p.name == variant.name) {
                chosen.push(variant.clone());
            }
        }
    }
    for probe in config.probes.values() {
        let wanted = selection.all || probe.tags.iter().any(|t| selection.tags.contains(t));
        if wanted && !chosen.iter().any(|p| p.name == probe.name) {
            chosen.push(probe.clone());
        }
    }
    if chosen.is_empty() {
        return Err(Failure::new(Exit::Nothing, nothing(config, selection)));
    }
    Ok(chosen)
}

fn nothing(config: &Config, selection: &Selection<'_>) -> String {
    if config.probes.is_empty() {
        return format!("there are no probes in {}", config.dir.join("probes").display());
    }
    let mut tags: Vec<&str> = config.probes.values().flat_map(|p| p.tags.iter().map(String::as_str)).collect();
    tags.sort_unstable();
    tags.dedup();
    let known = if tags.is_empty() { "no probe has a tag".to_owned() } else { format!("there are: {}", tags.join(", ")) };
    format!("no probe has the tag `{}`; {known}", selection.tags.join("` or `"))
}

/// What to say of a name that no probe has.
pub fn unknown_probe(config: &Config, name: &str) -> Failure {
    let names: Vec<&str> = config.probes.keys().map(String::as_str).collect();
    let help = match assemble::nearest(name, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => format!("there are no probes in {}", config.dir.join("probes").display()),
        None => format!("`replypath list` shows the {} there are", names.len()),
    };
    Failure::new(Exit::Nothing, format!("no probe is called `{name}`; {help}"))
}
