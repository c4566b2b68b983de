//! The fields of a page as Chromium shows them, and what goes into which.

use crate::engine::ways::FormOrder;
use crate::model::{FieldBy, Fill, FormPrint};
use serde::Deserialize;
use serde_json::Value;

/// What `fields` of `page.js` gives.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Fields {
    pub(super) fields: Vec<Field>,
    pub(super) groups: Vec<Group>,
}

/// One field; radio buttons of one name are one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Field {
    /// Which of the groups: a `<form>`, or the fields of one document or shadow root.
    pub(super) group: usize,
    /// `text`, `email`, `textarea`, `select`, `radio`, …
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) label: String,
    pub(super) autocomplete: String,
    pub(super) visible: bool,
    pub(super) enabled: bool,
    pub(super) required: bool,
    pub(super) checked: bool,
    pub(super) multiple: bool,
    pub(super) value: String,
    pub(super) options: Vec<String>,
    /// WebDriver's references.
    pub(super) elements: Vec<Value>,
}

/// What the fields of one group have in common.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Group {
    /// Names of hidden inputs.
    pub(super) hidden: Vec<String>,
    pub(super) method: String,
    /// Where it is sent; empty when a script decides.
    pub(super) action: String,
    pub(super) enctype: String,
    /// The address of its document.
    pub(super) page: String,
}

/// What is to be done to one field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Task {
    /// Its place in [`Fields::fields`].
    pub(super) field: usize,
    pub(super) fill: Fill,
}

/// Why the probe does not fit the form (yet).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unfit(pub(super) String);

impl Field {
    /// Its name for people.
    pub(super) fn called(&self) -> &str {
        if self.label.is_empty() { &self.name } else { bare(&self.label) }
    }

    fn usable(&self) -> bool {
        self.visible && self.enabled
    }

    fn empty(&self) -> bool {
        match self.kind.as_str() {
            "checkbox" | "radio" => !self.checked,
            _ => self.value.trim().is_empty(),
        }
    }

    fn says(&self, words: &[&str]) -> bool {
        let own = [self.label.to_lowercase(), self.name.to_lowercase(), self.autocomplete.to_lowercase()];
        words.iter().any(|word| own.iter().any(|text| text.split(|c: char| !c.is_alphanumeric()).any(|w| w == *word)))
    }
}

/// A label without what marks a required field.
fn bare(label: &str) -> &str {
    label.trim().trim_end_matches(['*', ':', ' ']).trim()
}

impl Fields {
    /// The group that fits the probe's fields best; none when there is nothing to fill in.
    pub(super) fn best(&self, order: &FormOrder) -> Option<usize> {
        let score = |group: usize| {
            let named = order.form.fields.iter().filter(|f| self.find(group, &f.by).is_some()).count();
            let known = self.usable(group).filter(|f| own_words(f, order).is_some()).count();
            10 * named + known
        };
        (0..self.groups.len())
            .map(|group| (score(group), group))
            .filter(|(score, _)| *score > 0)
            .max_by_key(|(score, group)| (*score, usize::MAX - group))
            .map(|(_, group)| group)
    }

    fn usable(&self, group: usize) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(move |f| f.group == group && f.usable())
    }

    /// The field that the probe means.
    pub(super) fn find(&self, group: usize, by: &FieldBy) -> Option<usize> {
        let mut all = self.fields.iter().enumerate().filter(|(_, f)| f.group == group && f.usable());
        match by {
            FieldBy::Name(name) => all.find(|(_, f)| f.name == *name).map(|(at, _)| at),
            FieldBy::Type(kind) => all.find(|(_, f)| f.kind.eq_ignore_ascii_case(kind)).map(|(at, _)| at),
            FieldBy::Order(place) => all.nth((*place as usize).checked_sub(1)?).map(|(at, _)| at),
            FieldBy::Label(label) => {
                let wanted = bare(label).to_lowercase();
                let all: Vec<(usize, String)> = all.map(|(at, f)| (at, bare(&f.label).to_lowercase())).collect();
                let exact = all.iter().find(|(_, label)| *label == wanted);
                let mut parts = all.iter().filter(|(_, label)| label.contains(&wanted));
                exact.or_else(|| parts.next().filter(|_| parts.next().is_none())).map(|(at, _)| *at)
            }
        }
    }

    /// What is to be done, in the order of the form.
    pub(super) fn plan(&self, group: usize, order: &FormOrder) -> Result<Vec<Task>, Unfit> {
        let mut tasks = Vec::new();
        for wanted in &order.form.fields {
            let field = self.find(group, &wanted.by).ok_or_else(|| Unfit(format!("the form has no field {}", by_words(&wanted.by))))?;
            tasks.push(Task { field, fill: wanted.fill.clone() });
        }
        let rest = self.fields.iter().enumerate().filter(|(_, f)| f.group == group && f.usable());
        for (at, field) in rest {
            if tasks.iter().any(|task| task.field == at) || field.kind == "file" {
                continue;
            }
            match own_words(field, order) {
                Some(text) => tasks.push(Task { field: at, fill: Fill::Write(text) }),
                None if field.required && field.empty() => {
                    return Err(Unfit(format!("the required field “{}” has no value in the probe", field.called())));
                }
                None => {}
            }
        }
        tasks.sort_by_key(|task| task.field);
        Ok(tasks)
    }

    /// The input that takes files; it may be hidden behind a button of its own.
    pub(super) fn file_input(&self, group: usize, by: Option<&FieldBy>) -> Option<usize> {
        let is_file = |at: &usize| self.fields[*at].kind == "file";
        match by {
            Some(by) => self.find(group, by).filter(is_file).or_else(|| self.first_file(group, by)),
            None => self.fields.iter().position(|f| f.group == group && f.kind == "file" && f.enabled),
        }
    }

    fn first_file(&self, group: usize, by: &FieldBy) -> Option<usize> {
        let fits = |f: &Field| match by {
            FieldBy::Name(name) => f.name == *name,
            FieldBy::Label(label) => bare(&f.label).eq_ignore_ascii_case(bare(label)),
            FieldBy::Type(_) | FieldBy::Order(_) => false,
        };
        self.fields.iter().position(|f| f.group == group && f.kind == "file" && f.enabled && fits(f))
    }

    /// What should stay from run to run.
    pub(super) fn print(&self, group: usize) -> FormPrint {
        let fields = self.fields.iter().filter(|f| f.group == group && f.visible).map(|f| {
            let options = if f.options.is_empty() { String::new() } else { format!(": {}", f.options.join(" | ")) };
            format!("{} ({}){}{options}", f.called(), f.kind, if f.required { "*" } else { "" })
        });
        let Some(about) = self.groups.get(group) else { return FormPrint::default() };
        let mut hidden = about.hidden.clone();
        hidden.sort();
        hidden.dedup();
        let target = if about.action.is_empty() { &about.page } else { &about.action };
        let target = target.split(['?', '#']).next().unwrap_or_default();
        let how = if about.enctype.is_empty() { "by script" } else { &about.enctype };
        FormPrint { fields: fields.collect(), hidden, target: format!("{} {target} ({how})", about.method.to_uppercase()) }
    }
}

/// A way to find a field, for people.
pub(super) fn by_words(by: &FieldBy) -> String {
    match by {
        FieldBy::Label(label) => format!("labelled “{label}”"),
        FieldBy::Name(name) => format!("named `{name}`"),
        FieldBy::Type(kind) => format!("of type `{kind}`"),
        FieldBy::Order(place) => format!("at place {place}"),
    }
}

/// What a field that the probe does not name asks for, by what it calls itself. Boxes and lists are left alone: a consent is
/// only given where the probe says so.
fn own_words(field: &Field, order: &FormOrder) -> Option<String> {
    let name = order.customer.name.as_str();
    let (first, last) = name.rsplit_once(' ').unwrap_or((name, name));
    let text = match field.kind.as_str() {
        "email" => &order.customer.address,
        "textarea" => &order.form.text,
        "text" | "search" if field.says(&["email", "mail", "e"]) && !field.says(&["name"]) => &order.customer.address,
        "text" | "search" if field.says(&["subject", "title", "betreff", "summary"]) => &order.form.subject,
        "text" if field.says(&["first", "given", "firstname", "vorname"]) => first,
        "text" if field.says(&["last", "family", "surname", "lastname", "nachname"]) => last,
        "text" if field.says(&["name", "fullname", "yourname"]) => name,
        _ => return None,
    };
    Some(text.to_owned())
}
