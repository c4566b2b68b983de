//! Writing in without mail, by the desk's own API: the recipes `[[create]]` of a definition, run as a way of filling in forms.

mod fields;
mod forms;
mod page;
mod recipe;
mod stop;

pub(crate) use fields::FieldsMap;
pub use forms::RecipeForms;
pub(crate) use forms::random;
pub(crate) use page::Page;
pub(crate) use recipe::{Create, Means};
pub use recipe::{Limit, LimitScope, Recipe};

#[cfg(test)]
mod tests;
