//! The fields of a page as Chromium shows them, and what goes into which.

use crate::engine::ways::FormOrder;
use crate::form::common::steady;
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

    /// What should stay from run to run, in the words of the plain forms.
    pub(super) fn print(&self, group: usize) -> FormPrint {
        let line = |field: &Field| {
            // A field without a word for people goes by its name, which may be another one at every visit.
            let name = if field.label.is_empty() { steady(&field.name) } else { field.called().to_owned() };
            let options = if field.options.is_empty() { String::new() } else { format!(" [{}]", field.options.join(", ")) };
            format!("{name} ({}){}{options}", field.kind, if field.required { "*" } else { "" })
        };
        let fields = self.fields.iter().filter(|f| f.group == group && f.visible).map(line).collect();
        let Some(about) = self.groups.get(group) else { return FormPrint::default() };
        let mut hidden: Vec<String> = about.hidden.iter().map(|name| steady(name)).collect();
        hidden.sort();
        hidden.dedup();
        let target = if about.action.is_empty() { &about.page } else { &about.action };
        let target = target.split(['?', '#']).next().unwrap_or_default();
        let (host, path) = match target.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('/')?))) {
            Some((scheme, (host, path))) => (format!("{scheme}://{host}/"), path),
            None => (String::new(), target),
        };
        let path: Vec<String> = path.split('/').map(steady).collect();
        let how = if about.enctype.is_empty() { "by script" } else { &about.enctype };
        FormPrint { fields, hidden, target: format!("{} {host}{} ({how})", about.method.to_uppercase(), path.join("/")) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ways::Customer;
    use crate::model::{FormBy, FormChannel, FormField, RunId, TokenKey};
    use std::time::Duration;

    fn order(fields: Vec<FormField>) -> FormOrder {
        let form = FormChannel {
            page: None,
            by: FormBy::Browser { frame: Vec::new(), limit: Duration::from_secs(60) },
            subject: "Parcel".to_owned(),
            text: "Where is it?".to_owned(),
            fields,
            attachments: Vec::new(),
            attachments_in: None,
            form: None,
            submit: None,
            thanks: None,
            number: None,
            dwell: Duration::ZERO,
        };
        let customer = Customer { address: "ada@x.test".to_owned(), name: "Ada King Lovelace".to_owned() };
        let (run, token) = (RunId("r1".to_owned()), TokenKey::new(b"k").token("r1", "send"));
        FormOrder { run, probe: "form".to_owned(), desk: None, customer, form, token }
    }

    fn field(group: usize, kind: &str, label: &str, name: &str) -> Field {
        Field {
            group,
            kind: kind.to_owned(),
            label: label.to_owned(),
            name: name.to_owned(),
            visible: true,
            enabled: true,
            ..Field::default()
        }
    }

    fn page() -> Fields {
        let mut trap = field(1, "text", "Website", "url");
        trap.visible = false;
        trap.required = true;
        let fields = vec![
            field(0, "search", "Search the shop", "q"),
            field(1, "text", "Your name *", "a3f8c9d2e1b47f60"),
            field(1, "text", "First name", "f"),
            field(1, "email", "", "b9f8e7d6c5b4a"),
            field(1, "textarea", "Message:", "m"),
            trap,
            field(1, "checkbox", "I agree to the rules", "consent"),
        ];
        let about = Group {
            hidden: vec!["csrf".to_owned()],
            method: "post".to_owned(),
            action: "https://desk.test/send?k=1".to_owned(),
            enctype: "multipart/form-data".to_owned(),
            page: String::new(),
        };
        Fields { fields, groups: vec![Group::default(), about] }
    }

    #[test]
    fn the_form_to_write_in_is_chosen_and_traps_and_consents_are_left_alone() {
        let (page, order) = (page(), order(Vec::new()));
        assert_eq!(page.best(&order), Some(1));
        let tasks = page.plan(1, &order).unwrap();
        let written: Vec<(usize, &str)> = tasks
            .iter()
            .map(|t| {
                (
                    t.field,
                    match &t.fill {
                        Fill::Write(text) => text.as_str(),
                        _ => "",
                    },
                )
            })
            .collect();
        assert_eq!(written, [(1, "Ada King Lovelace"), (2, "Ada King"), (3, "ada@x.test"), (4, "Where is it?")]);
    }

    #[test]
    fn a_required_box_is_only_ticked_where_the_probe_says_so() {
        let mut page = page();
        page.fields[6].required = true;
        assert!(page.plan(1, &order(Vec::new())).unwrap_err().0.contains("I agree to the rules"));
        let tick = FormField { by: FieldBy::Label("AGREE".to_owned()), fill: Fill::Tick(true) };
        let tasks = page.plan(1, &order(vec![tick])).unwrap();
        assert!(tasks.contains(&Task { field: 6, fill: Fill::Tick(true) }));
        let gone = FormField { by: FieldBy::Name("topic".to_owned()), fill: Fill::Write(String::new()) };
        assert!(page.plan(1, &order(vec![gone])).unwrap_err().0.contains("named `topic`"));
    }

    #[test]
    fn fields_are_found_by_label_type_name_and_place() {
        let page = page();
        for (by, at) in [
            (FieldBy::Label("your name".to_owned()), Some(1)),
            (FieldBy::Label("name".to_owned()), None),
            (FieldBy::Label("message".to_owned()), Some(4)),
            (FieldBy::Type("email".to_owned()), Some(3)),
            (FieldBy::Name("consent".to_owned()), Some(6)),
            (FieldBy::Name("url".to_owned()), None),
            (FieldBy::Order(1), Some(1)),
            (FieldBy::Order(5), Some(6)),
            (FieldBy::Order(0), None),
        ] {
            assert_eq!(page.find(1, &by), at, "{by:?}");
        }
    }

    #[test]
    fn the_print_is_that_of_plain_forms_without_what_changes_with_every_visit() {
        let print = page().print(1);
        assert_eq!(print.fields[..3], ["Your name (text)", "First name (text)", "# (email)"]);
        assert_eq!((print.hidden[0].as_str(), print.target.as_str()), ("csrf", "POST https://desk.test/send (multipart/form-data)"));
    }
}
