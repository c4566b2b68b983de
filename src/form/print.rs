//! What of a form should stay as it is: its fields, hidden inputs and target, without what changes with every visit.

use super::find::{heading, visible};
use super::page::{Control, Form};
use crate::model::FormPrint;
use reqwest::{Method, Url};

const MAX_FIELDS: usize = 300;
const MAX_OPTIONS: usize = 50;

/// The print of a form that is sent to `url`.
pub(super) fn of(form: &Form, method: &Method, url: &Url, enctype: &str) -> FormPrint {
    let fields = visible(&form.controls).into_iter().take(MAX_FIELDS).map(|at| line(form, &form.controls[at])).collect();
    let mut hidden: Vec<String> =
        form.controls.iter().filter(|c| c.kind == "hidden" && !c.name.is_empty()).take(MAX_FIELDS).map(|c| steady(&c.name)).collect();
    hidden.sort();
    hidden.dedup();
    let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
    let path: Vec<String> = url.path().split('/').map(steady).collect();
    let target = format!("{method} {}://{}{port}{} ({enctype})", url.scheme(), url.host_str().unwrap_or_default(), path.join("/"));
    FormPrint { fields, hidden, target }
}

fn line(form: &Form, control: &Control) -> String {
    // A field without a word for people goes by its name, which may be another one at every visit.
    let name = heading(control);
    let name = if name == control.name { steady(name) } else { name.to_owned() };
    let mark = if control.required { "*" } else { "" };
    let options: Vec<&str> = match control.kind.as_str() {
        "select" => control.options.iter().map(|o| o.text.as_str()).collect(),
        "radio" => form.controls.iter().filter(|c| c.same_group(control)).map(Control::label).collect(),
        _ => Vec::new(),
    };
    let mut shown = options.iter().take(MAX_OPTIONS).copied().collect::<Vec<_>>().join(", ");
    if options.len() > MAX_OPTIONS {
        shown.push_str(&format!(" and {} more", options.len() - MAX_OPTIONS));
    }
    let shown = if shown.is_empty() { shown } else { format!(" [{shown}]") };
    format!("{name} ({}){mark}{shown}", control.kind)
}

/// A name with `#` for each part that looks drawn at random.
pub(crate) fn steady(name: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for c in name.chars().chain(['\0']) {
        if c.is_ascii_alphanumeric() {
            word.push(c);
            continue;
        }
        out.push_str(if random(&word) { "#" } else { &word });
        word.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

/// Long, and digits all over: nobody gave it as a name.
fn random(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let letters = word.len() - digits;
    let hex = word.chars().all(|c| c.is_ascii_hexdigit());
    // How often digits and letters take turns tells `a8f3k2` from `field20250101`.
    let turns = word.as_bytes().windows(2).filter(|w| w[0].is_ascii_digit() != w[1].is_ascii_digit()).count();
    (hex && word.len() >= 8 && digits >= 2 && (letters >= 2 || word.len() >= 16)) || (word.len() >= 10 && digits >= 2 && turns >= 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_drawn_at_random_are_left_out_and_given_names_stay() {
        for (name, wanted) in [
            ("csrfmiddlewaretoken", "csrfmiddlewaretoken"),
            ("__CSRFToken__", "__CSRFToken__"),
            ("a3f8c9d2e1b47f60", "#"),
            ("field_9f8e7d6c5b4a", "field_#"),
            ("input-64c7", "input-64c7"),
            ("question2024", "question2024"),
            ("wpcf7-f123-p45-o1", "wpcf7-f123-p45-o1"),
            ("k3x9q1z7w2v8", "#"),
            ("deadbeef", "deadbeef"),
            ("email_address", "email_address"),
            ("x[3f2504e0-4f89-11d3-9a0c-0305e82c3301]", "x[#-4f89-11d3-9a0c-#]"),
        ] {
            assert_eq!(steady(name), wanted, "{name}");
        }
    }
}
