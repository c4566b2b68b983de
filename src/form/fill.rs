//! Filling in a form: what the probe names first, then what fields ask for. What does not fit is said, all of it.

use super::find::{choose_of, field};
use super::page::{Control, Form};
use super::roles::{Role, role};
use crate::engine::ways::FormOrder;
use crate::model::{Fill, FormChannel, OutgoingAttachment};
use std::collections::{BTreeMap, HashMap};

/// A form with what a person put into it.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    pub controls: Vec<Control>,
    /// Files by the place of their input.
    pub files: BTreeMap<usize, Vec<OutgoingAttachment>>,
    /// What was put where, for people.
    pub entries: Vec<(usize, String)>,
    /// What keeps the form from being sent, for people.
    pub gaps: Vec<String>,
    /// The button that is pressed.
    pub button: Option<usize>,
}

impl Sheet {
    fn put(&mut self, at: usize, what: impl Into<String>) {
        self.entries.push((at, what.into()));
    }
}

/// Fills in the form.
pub(super) fn fill(form: &Form, order: &FormOrder) -> Sheet {
    let mut sheet = Sheet { controls: form.controls.clone(), files: BTreeMap::new(), entries: Vec::new(), gaps: Vec::new(), button: None };
    for wanted in &order.form.fields {
        let done = field(&sheet.controls, &wanted.by).and_then(|at| apply(&mut sheet, at, &wanted.fill));
        if let Err(gap) = done {
            sheet.gaps.push(gap);
        }
    }
    by_role(&mut sheet, order);
    attach(&mut sheet, &order.form);
    press(&mut sheet, order.form.submit.as_deref());
    required(&mut sheet);
    let carried = |c: &Control| c.kind != "hidden" && order.token.is_in(&c.value);
    if !sheet.controls.iter().any(carried) {
        sheet.gaps.push("no field takes the text of the request; name the one that shall in `[[form.fields]]`".to_owned());
    }
    sheet
}

fn apply(sheet: &mut Sheet, at: usize, fill: &Fill) -> Result<(), String> {
    let control = &sheet.controls[at];
    let label = control.label().to_owned();
    match fill {
        Fill::Write(text) if control.takes_text() || matches!(control.kind.as_str(), "hidden" | "color" | "range") => {
            write(sheet, at, text)?
        }
        Fill::Write(text) | Fill::Choose(text) if matches!(control.kind.as_str(), "select" | "radio" | "checkbox") => {
            choose_of(&mut sheet.controls, at, text)?;
        }
        Fill::Choose(text) if control.takes_text() => write(sheet, at, text)?,
        Fill::Tick(on) if matches!(control.kind.as_str(), "checkbox" | "radio") => {
            let group = sheet.controls[at].clone();
            if group.kind == "radio" && *on {
                sheet.controls.iter_mut().filter(|c| c.same_group(&group)).for_each(|c| c.checked = false);
            }
            sheet.controls[at].checked = *on;
        }
        Fill::Tick(_) => return Err(format!("the field `{label}` is no box to tick but of type {}", control.kind)),
        _ => return Err(format!("the field `{label}` is of type {} and takes no text", control.kind)),
    }
    sheet.put(at, "what the probe says");
    Ok(())
}

fn write(sheet: &mut Sheet, at: usize, text: &str) -> Result<(), String> {
    let control = &mut sheet.controls[at];
    if let Some(most) = control.max_length {
        // As browsers count: UTF-16 units, a line end as one.
        let length = text.replace("\r\n", "\n").encode_utf16().count();
        if length > most {
            return Err(format!("the field `{}` takes {most} characters, and the probe writes {length}", control.label()));
        }
    }
    control.value = if control.kind == "textarea" { text.to_owned() } else { text.replace(['\r', '\n'], "") };
    Ok(())
}

/// Fills what the probe does not name.
fn by_role(sheet: &mut Sheet, order: &FormOrder) {
    let (form, customer) = (&order.form, &order.customer);
    let (given, family) = customer.name.split_once(' ').unwrap_or((&customer.name, &customer.name));
    let mut done: Vec<Role> = Vec::new();
    let says = |sheet: &Sheet, text: &str| !text.is_empty() && sheet.entries.iter().any(|(at, _)| sheet.controls[*at].value == text);
    if says(sheet, &form.subject) {
        done.push(Role::Subject);
    }
    if says(sheet, &form.text) {
        done.push(Role::Message);
    }
    let open: Vec<usize> = {
        let taken: Vec<bool> = taken(sheet);
        (0..sheet.controls.len()).filter(|at| sheet.controls[*at].is_field() && !sheet.controls[*at].readonly && !taken[*at]).collect()
    };
    let mut roles: Vec<(usize, Role)> = open.iter().filter_map(|at| role(&sheet.controls[*at]).map(|r| (*at, r))).collect();
    if !roles.iter().any(|(_, r)| *r == Role::Message) {
        // A text area that asks for nothing else is where people write.
        roles.extend(open.iter().find(|at| sheet.controls[**at].kind == "textarea").map(|at| (*at, Role::Message)));
    }
    for (at, role) in roles {
        // An address is often asked for twice, everything else once.
        if role != Role::Email && done.contains(&role) {
            continue;
        }
        let text = match role {
            Role::Email => &customer.address,
            Role::Name => &customer.name,
            Role::GivenName => given,
            Role::FamilyName => family,
            Role::Subject => &form.subject,
            Role::Message => &form.text,
        };
        match write(sheet, at, text) {
            Ok(()) => sheet.put(at, role.text()),
            Err(gap) => sheet.gaps.push(gap),
        }
        done.push(role);
    }
}

fn taken(sheet: &Sheet) -> Vec<bool> {
    let mut taken = vec![false; sheet.controls.len()];
    sheet.entries.iter().for_each(|(at, _)| taken[*at] = true);
    taken
}

/// Puts the files into their inputs.
fn attach(sheet: &mut Sheet, form: &FormChannel) {
    if form.attachments.is_empty() {
        return;
    }
    let inputs: Vec<usize> = match &form.attachments_in {
        Some(by) => match field(&sheet.controls, by) {
            Ok(at) if sheet.controls[at].kind == "file" => vec![at],
            Ok(at) => return sheet.gaps.push(format!("the field `{}` takes no files", sheet.controls[at].label())),
            Err(gap) => return sheet.gaps.push(gap),
        },
        None => (0..sheet.controls.len()).filter(|at| sheet.controls[*at].kind == "file" && sheet.controls[*at].is_field()).collect(),
    };
    let mut files = form.attachments.iter().cloned().peekable();
    for at in inputs {
        let many = if sheet.controls[at].multiple { usize::MAX } else { 1 };
        let here: Vec<OutgoingAttachment> = files.by_ref().take(many).collect();
        if here.is_empty() {
            break;
        }
        sheet.put(at, here.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", "));
        sheet.files.insert(at, here);
    }
    if let Some(file) = files.peek() {
        sheet.gaps.push(format!("the form has no place for the file `{}`", file.name));
    }
}

fn press(sheet: &mut Sheet, wanted: Option<&str>) {
    let usable = |c: &Control| c.submits() && !c.disabled;
    sheet.button = match wanted {
        None => sheet.controls.iter().position(usable),
        Some(text) => {
            let text = super::page::plain(text);
            let found =
                sheet.controls.iter().position(|c| usable(c) && (super::page::plain(c.label()) == text || c.value.to_lowercase() == text));
            if found.is_none() {
                let all: Vec<&str> = sheet.controls.iter().filter(|c| usable(c)).take(10).map(Control::label).collect();
                sheet.gaps.push(format!("the form has no button `{text}`; it has: {}", all.join(", ")));
            }
            found
        }
    };
}

/// What the form asks for and nothing fills.
fn required(sheet: &mut Sheet) {
    let mut answered: HashMap<&str, bool> = HashMap::new();
    for c in sheet.controls.iter().filter(|c| c.kind == "radio" && c.checked) {
        answered.insert(&c.name, true);
    }
    let mut gaps = Vec::new();
    for (at, c) in sheet.controls.iter().enumerate().filter(|(_, c)| c.required && c.is_field() && !c.readonly) {
        let empty = match c.kind.as_str() {
            "checkbox" => !c.checked,
            // The whole group has one answer, and is named once.
            "radio" => answered.insert(&c.name, true).is_none(),
            "file" => !sheet.files.contains_key(&at),
            "select" => !c.options.iter().any(|o| o.selected && !o.value.is_empty()),
            _ => c.value.trim().is_empty(),
        };
        if !empty {
            continue;
        }
        let label = if c.kind == "radio" && !c.group.is_empty() { &c.group } else { c.label() };
        let choices: Vec<&str> = c.options.iter().filter(|o| !o.value.is_empty()).take(8).map(|o| o.text.as_str()).collect();
        let choices = if choices.is_empty() { String::new() } else { format!(" (choices: {})", choices.join(", ")) };
        gaps.push(format!("required field `{label}` has no value in the probe{choices}"));
    }
    sheet.gaps.extend(gaps);
}
