//! Finding the field that a probe names, and the option that it chooses.

use super::page::{Control, plain};
use crate::model::FieldBy;

/// The place of the field. The error says what the form has instead.
pub(super) fn field(controls: &[Control], by: &FieldBy) -> Result<usize, String> {
    match by {
        FieldBy::Label(label) => labelled(controls, label),
        // Whoever names a field by its name may mean one that people do not see.
        FieldBy::Name(name) => {
            let usable = |c: &Control| c.name == *name && !c.is_button();
            let seen = controls.iter().position(|c| usable(c) && c.is_field());
            seen.or_else(|| controls.iter().position(usable)).ok_or_else(|| format!("the form has no field named `{name}`"))
        }
        FieldBy::Type(kind) => {
            let found = controls.iter().position(|c| c.is_field() && c.kind == *kind);
            found.ok_or_else(|| format!("the form has no field of type `{kind}`"))
        }
        FieldBy::Order(n) => {
            let fields = visible(controls);
            let index = usize::try_from(*n).ok().and_then(|n| n.checked_sub(1));
            let found = index.and_then(|i| fields.get(i)).copied();
            found.ok_or_else(|| format!("the form has {} visible fields, so there is no field {n}", fields.len()))
        }
    }
}

/// The visible fields in order; radio buttons of one name are one field.
pub(super) fn visible(controls: &[Control]) -> Vec<usize> {
    let mut groups = std::collections::HashSet::new();
    let first = |c: &Control, groups: &mut std::collections::HashSet<String>| c.kind != "radio" || groups.insert(c.name.clone());
    (0..controls.len()).filter(|at| controls[*at].is_field() && first(&controls[*at], &mut groups)).collect()
}

fn labelled(controls: &[Control], label: &str) -> Result<usize, String> {
    let wanted = plain(label);
    let fields = visible(controls);
    let texts = |c: &Control| -> Vec<String> {
        let group = matches!(c.kind.as_str(), "radio" | "checkbox").then_some(&c.group).filter(|g| !g.is_empty());
        c.labels.iter().chain(group).map(|l| plain(l)).collect()
    };
    // The buttons of a group behind its first one are known by their own words only.
    let all: Vec<(usize, Vec<String>)> = controls.iter().enumerate().filter(|(_, c)| c.is_field()).map(|(at, c)| (at, texts(c))).collect();
    let first = |test: &dyn Fn(&str) -> bool| -> Vec<usize> {
        all.iter().filter(|(_, texts)| texts.iter().any(|t| test(t))).map(|(at, _)| *at).collect()
    };
    let exact = first(&|t| t == wanted);
    if let Some(at) = exact.first() {
        return Ok(*at);
    }
    let parts = first(&|t| !wanted.is_empty() && t.contains(&wanted));
    match parts.as_slice() {
        [at] => Ok(*at),
        [at, rest @ ..] if rest.iter().all(|other| one_group(&controls[*at], &controls[*other])) => Ok(*at),
        [] => {
            let known: Vec<String> = fields.iter().take(12).map(|at| format!("`{}`", heading(&controls[*at]))).collect();
            Err(format!(
                "the form has no field labelled `{label}`; it has {}",
                if known.is_empty() { "none".into() } else { known.join(", ") }
            ))
        }
        more => {
            let known: Vec<String> = more.iter().take(6).map(|at| format!("`{}`", heading(&controls[*at]))).collect();
            Err(format!("the label `{label}` fits several fields: {}", known.join(", ")))
        }
    }
}

fn one_group(a: &Control, b: &Control) -> bool {
    a.same_group(b) || (a.kind == "checkbox" && b.kind == "checkbox" && !a.group.is_empty() && a.group == b.group)
}

/// What a field is called; of radio buttons their common heading.
pub(super) fn heading(control: &Control) -> &str {
    if control.kind == "radio" && !control.group.is_empty() { &control.group } else { control.label() }
}

/// Chooses an option of the list or group at `at` by its text, else by its value.
pub(super) fn choose_of(controls: &mut [Control], at: usize, text: &str) -> Result<(), String> {
    let label = heading(&controls[at]).to_owned();
    if controls[at].kind == "select" {
        let control = &mut controls[at];
        let options: Vec<(String, String)> =
            control.options.iter().map(|o| if o.disabled { Default::default() } else { (plain(&o.text), o.value.clone()) }).collect();
        let chosen = pick(&options, text).map_err(|known| unchosen(&label, text, &known))?;
        for (index, option) in control.options.iter_mut().enumerate() {
            option.selected = index == chosen || (control.multiple && option.selected);
        }
        return Ok(());
    }
    let group: Vec<usize> = (0..controls.len()).filter(|other| *other == at || one_group(&controls[at], &controls[*other])).collect();
    let options: Vec<(String, String)> = group.iter().map(|i| (plain(controls[*i].label()), controls[*i].value.clone())).collect();
    let chosen = pick(&options, text).map_err(|known| unchosen(&label, text, &known))?;
    for (index, place) in group.iter().enumerate() {
        let keep = controls[*place].kind == "checkbox" && controls[*place].checked;
        controls[*place].checked = index == chosen || keep;
    }
    Ok(())
}

fn unchosen(label: &str, text: &str, known: &[String]) -> String {
    format!("the field `{label}` has no option `{text}`; it has {}", known.join(", "))
}

/// The option whose text is the wanted one, or the only one that holds it, or the one with this value.
fn pick(options: &[(String, String)], text: &str) -> Result<usize, Vec<String>> {
    let wanted = plain(text);
    if let Some(exact) = options.iter().position(|(shown, _)| *shown == wanted) {
        return Ok(exact);
    }
    let holding: Vec<usize> = (0..options.len()).filter(|i| !wanted.is_empty() && options[*i].0.contains(&wanted)).collect();
    if let [only] = holding.as_slice() {
        return Ok(*only);
    }
    let by_value = options.iter().position(|(shown, value)| !shown.is_empty() && value == text.trim());
    by_value.ok_or_else(|| options.iter().filter(|(shown, _)| !shown.is_empty()).take(12).map(|(shown, _)| format!("`{shown}`")).collect())
}
