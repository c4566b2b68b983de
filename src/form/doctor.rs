//! What `doctor` tells people of a form: which field gets what, what is missing, what stands in the way.

use super::captcha;
use super::fetch::place;
use super::fill::Sheet;
use super::find::{heading, visible};
use super::page::Page;
use super::send::Target;

/// Fields that are listed.
const MOST: usize = 60;

/// The lines.
pub(super) fn lines(page: &Page, form: usize, sheet: &Sheet, target: &Target) -> Vec<String> {
    let mut out = vec![format!("the form is sent with {} to {} ({})", target.method, place(&target.url), target.enctype)];
    let fields = visible(&sheet.controls);
    for at in fields.iter().take(MOST) {
        let control = &sheet.controls[*at];
        let required = if control.required { ", required" } else { "" };
        let group: Vec<usize> = if control.kind == "radio" {
            (0..sheet.controls.len()).filter(|i| sheet.controls[*i].same_group(control)).collect()
        } else {
            vec![*at]
        };
        let what = sheet.entries.iter().find(|(place, _)| group.contains(place)).map(|(_, what)| what.as_str());
        let what = what.map_or_else(|| left(&sheet.controls, *at, &group), |w| format!("gets {w}"));
        out.push(format!("field `{}` ({}{required}) {what}", heading(control), control.kind));
    }
    if fields.len() > MOST {
        out.push(format!("and {} more fields", fields.len() - MOST));
    }
    let traps = sheet.controls.iter().filter(|c| c.kind != "hidden" && !c.is_button() && !c.disabled);
    out.extend(traps.filter_map(|c| c.hidden.map(|why| format!("field `{}` is not seen by people ({why}) and stays as it is", c.label()))));
    match sheet.button.and_then(|at| sheet.controls.get(at)) {
        Some(button) => out.push(format!("the button `{}` is pressed", button.label())),
        None => out.push("the form has no button that submits it".to_owned()),
    }
    out.extend(captcha::guarding(page, form).map(|name| format!("a captcha ({name}) stands there: the probe cannot submit this form")));
    out.extend(sheet.gaps.iter().map(|gap| format!("missing: {gap}")));
    out
}

fn left(controls: &[super::page::Control], at: usize, group: &[usize]) -> String {
    let control = &controls[at];
    let chosen = match control.kind.as_str() {
        "select" => control.options.iter().find(|o| o.selected).map(|o| o.text.clone()),
        "radio" => group.iter().find(|i| controls[**i].checked).map(|i| controls[*i].label().to_owned()),
        "checkbox" => return if control.checked { "stays ticked".to_owned() } else { "stays unticked".to_owned() },
        _ => Some(control.value.clone()).filter(|v| !v.is_empty()),
    };
    chosen.filter(|c| !c.is_empty()).map_or_else(|| "stays empty".to_owned(), |c| format!("stays `{}`", super::labels::shortened(&c, 60)))
}
