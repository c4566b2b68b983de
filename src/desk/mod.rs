//! Support desks as data: TOML definitions, their checker, and the interpreter that speaks HTTP and JSON for them.
//!
//! A definition is third-party input that handles secrets, so it holds no code: paths are a JMESPath subset,
//! templates have filters but no conditions, and requests go only to the hosts that it lists.

mod auth;
mod call;
pub mod chat;
mod costs;
mod create;
mod definition;
mod files;
mod filter;
mod flow;
mod http;
mod jar;
mod live;
mod login;
mod mapping;
mod matching;
mod multipart;
mod outcome;
mod page;
mod pages;
mod parse;
mod path;
mod reader;
mod recipe;
mod reference;
mod scope;
mod secrets;
mod set;
mod settings;
mod shape;
mod template;
pub mod transcript;

pub use create::{Limit, LimitScope, Recipe, RecipeForms};
pub use definition::{Definition, Param, ParamKind};
pub use live::HttpDesk;
pub use reference::reference;
pub use set::DeskSet;
pub use shape::schema;

/// The definitions that come with the program: id and text.
pub fn built_in() -> &'static [(&'static str, &'static str)] {
    &[
        ("sandbox", include_str!("definitions/sandbox.toml")),
        ("rt", include_str!("definitions/rt.toml")),
        ("django-helpdesk", include_str!("definitions/django-helpdesk.toml")),
        ("zammad", include_str!("definitions/zammad.toml")),
        ("chatwoot", include_str!("definitions/chatwoot.toml")),
        ("matrix", include_str!("definitions/matrix.toml")),
    ]
}

#[cfg(test)]
mod check_tests;
#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod shape_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod trust_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_definition_passes_its_own_check() {
        for (id, text) in built_in() {
            let definition = Definition::parse(&format!("built-in:{id}"), text).unwrap_or_else(|problems| {
                let lines: Vec<String> =
                    problems.iter().map(|p| format!("{:?} {} ({:?})", p.span.clone().map(|s| &text[s]), p.message, p.help)).collect();
                panic!("{id}:\n{}", lines.join("\n"));
            });
            assert_eq!(definition.id, *id);
            // What was never tried on the real product says so, and nothing else does.
            assert_eq!(definition.unproven(), ["zammad", "chatwoot"].contains(id), "{id}");
        }
    }
}
