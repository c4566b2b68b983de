//! What forms and controls say of themselves: type, value, options, and whether people see them.

use super::labels::{clipped, text_of};
use super::page::{Choice, Control, Form};
use scraper::ElementRef;

/// Options of one list that are kept.
const MAX_OPTIONS: usize = 2_000;

/// Why people do not see a control. Boxes, radio buttons and files are often drawn anew: then their label is what is seen.
pub(super) fn unseen(control: &Control, hidden: Option<&'static str>) -> Option<&'static str> {
    if control.kind == "hidden" {
        return Some("hidden");
    }
    let drawn_anew = matches!(control.kind.as_str(), "checkbox" | "radio" | "file") && !control.labels.is_empty();
    if drawn_anew && hidden != Some("aria-hidden") && hidden != Some("hidden") {
        return None;
    }
    hidden.or_else(|| trap(control))
}

/// Why a control that stands in the open is a trap for robots all the same: styles in other files may hide it.
fn trap(control: &Control) -> Option<&'static str> {
    if !control.takes_text() {
        return None;
    }
    if control.untabbed && matches!(control.autocomplete.as_str(), "off" | "nope" | "new-password") {
        return Some("out of reach of keyboard and autofill");
    }
    let left_empty = |label: &String| {
        let label = label.to_lowercase();
        let told = ["leave", "do not fill", "don't fill", "nicht ausfüllen", "leer lassen", "freilassen"].iter().any(|w| label.contains(w));
        told && ["blank", "empty", "do not fill", "don't fill", "ausfüllen", "leer", "freilassen"].iter().any(|w| label.contains(w))
    };
    if control.labels.iter().any(left_empty) {
        return Some("its label says to leave it empty");
    }
    let named = [&control.name, &control.id, &control.class].into_iter().any(|w| {
        let w = w.to_ascii_lowercase();
        w.contains("honeypot")
            || w.contains("honey_pot")
            || w.contains("ohnohoney")
            || w == "hp"
            || w.starts_with("hp_")
            || w.starts_with("hp-")
    });
    named.then_some("named as a trap")
}

/// A form without its controls. `chosen`: it is the one of the probe.
pub(super) fn form(element: &ElementRef<'_>, chosen: bool) -> Form {
    let lower = |name: &str| element.attr(name).unwrap_or_default().trim().to_ascii_lowercase();
    let words = ["id", "name", "class", "role", "action", "aria-label"].map(&lower).join(" ");
    Form {
        action: element.attr("action").map(str::to_owned),
        method: lower("method"),
        enctype: lower("enctype"),
        accept_charset: lower("accept-charset"),
        words,
        chosen,
        controls: Vec::new(),
    }
}

/// What a control says of itself.
pub(super) fn control(element: &ElementRef<'_>) -> Control {
    let attr = |name: &str| element.attr(name).unwrap_or_default().to_owned();
    let has = |name: &str| element.attr(name).is_some();
    let is_true = |name: &str| element.attr(name).is_some_and(|v| v.eq_ignore_ascii_case("true"));
    let tag = element.value().name();
    let kind = match (tag, attr("type").trim().to_ascii_lowercase().as_str()) {
        ("input", known) if KINDS.contains(&known) => known.to_owned(),
        ("input", _) => "text".to_owned(),
        ("button", known @ ("reset" | "button")) => known.to_owned(),
        ("button", _) => "submit".to_owned(),
        (other, _) => other.to_owned(),
    };
    let value = match (tag, kind.as_str()) {
        ("textarea", _) => element.text().collect(),
        (_, "checkbox" | "radio") if !has("value") => "on".to_owned(),
        (_, "color") if !has("value") => "#000000".to_owned(),
        (_, "range") if !has("value") => "50".to_owned(),
        _ => attr("value"),
    };
    let mut control = Control {
        name: attr("name"),
        id: attr("id"),
        class: attr("class").to_ascii_lowercase(),
        value,
        autocomplete: attr("autocomplete").trim().to_ascii_lowercase(),
        required: has("required") || is_true("aria-required"),
        disabled: has("disabled"),
        readonly: has("readonly"),
        multiple: has("multiple"),
        checked: has("checked"),
        max_length: element.attr("maxlength").and_then(|m| m.trim().parse().ok()),
        dirname: attr("dirname"),
        form_action: element.attr("formaction").filter(|a| !a.is_empty()).map(str::to_owned),
        form_method: element.attr("formmethod").map(str::to_ascii_lowercase),
        form_enctype: element.attr("formenctype").map(str::to_ascii_lowercase),
        invalid: is_true("aria-invalid"),
        untabbed: element.attr("tabindex").is_some_and(|t| t.trim().starts_with('-')),
        kind,
        ..Control::default()
    };
    if tag == "button" || control.is_button() {
        let text = if tag == "button" { text_of(element, 200).text } else { control.value.clone() };
        let text = if text.is_empty() { attr("aria-label") } else { text };
        control.labels.push(if text.is_empty() && control.kind == "submit" { "Submit".to_owned() } else { text });
    }
    if tag == "select" {
        control.options = options(element, control.multiple);
    }
    control
}

const KINDS: [&str; 22] = [
    "button",
    "checkbox",
    "color",
    "date",
    "datetime-local",
    "email",
    "file",
    "hidden",
    "image",
    "month",
    "number",
    "password",
    "radio",
    "range",
    "reset",
    "search",
    "submit",
    "tel",
    "text",
    "time",
    "url",
    "week",
];

/// The options of a list, with the one selected that browsers select.
fn options(list: &ElementRef<'_>, multiple: bool) -> Vec<Choice> {
    let mut found: Vec<Choice> = Vec::new();
    for option in list.descendent_elements().filter(|e| e.value().name() == "option").take(MAX_OPTIONS) {
        let text = text_of(&option, 200).text;
        let shown = option.attr("label").filter(|l| !l.is_empty()).map_or_else(|| text.clone(), clipped);
        let group = option.parent().and_then(ElementRef::wrap).filter(|p| p.value().name() == "optgroup");
        let selected = option.attr("selected").is_some();
        if selected && !multiple {
            // Of several, the last counts.
            found.iter_mut().for_each(|o| o.selected = false);
        }
        found.push(Choice {
            value: option.attr("value").map_or(text, str::to_owned),
            text: shown,
            selected,
            disabled: option.attr("disabled").is_some() || group.is_some_and(|g| g.attr("disabled").is_some()),
        });
    }
    let as_list = list.attr("size").and_then(|s| s.trim().parse::<u32>().ok()).is_some_and(|n| n > 1);
    if !multiple
        && !as_list
        && !found.iter().any(|o| o.selected)
        && let Some(first) = found.iter_mut().find(|o| !o.disabled)
    {
        first.selected = true;
    }
    found
}
