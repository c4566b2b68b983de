//! Support desks as data: TOML definitions, their checker, and the interpreter that speaks HTTP and JSON for them.
//!
//! A definition is third-party input that handles secrets, so it holds no code: paths are a JMESPath subset,
//! templates have filters but no conditions, and requests go only to the hosts that it lists.

mod definition;
mod filter;
mod parse;
mod path;
mod reader;
mod scope;
mod settings;
mod template;

pub use definition::{Definition, Param, ParamKind};

/// The definitions that come with the program: id and text.
pub fn built_in() -> &'static [(&'static str, &'static str)] {
    &[("sandbox", include_str!("definitions/sandbox.toml")), ("rt", include_str!("definitions/rt.toml"))]
}
