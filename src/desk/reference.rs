//! The reference of the desk language, for authors: made from what the checker itself uses.

use super::filter::{PLAIN, WITH_ARG};
use super::parse::Operation;
use super::path::FUNCTIONS;
use super::scope::FILE_FIELDS;
use super::shape::{ROOT, Shape};
use std::fmt::Write;

/// A small definition to begin from.
pub(crate) const EXAMPLE: &str = include_str!("example.toml");

const TEMPLATES: &str = "\
`${name}` puts a value into a string, `${name|filter|filter:'argument'}` changes it first. There are no conditions, loops \
or arithmetic. A string that is exactly one template keeps the value's type. A value that is missing is an error, unless \
the template ends with `|omit_empty` or has a `|default:'…'`.

| written | value |
| --- | --- |
| `${name}` | a variable, else the param of that name |
| `${params.name}` | the param, whatever variables there are |
| `${step.name}` | what the step `step` picked |
| `${step:path}` | a path into the answer of the step `step` |
| `${item}`, `${item.path}` | the element in hand, with `each`, inside `$as` and for files |

Inside a longer query value every template must go through a quoting filter, so that no text can become a part of the \
query: `\"subject:${token|phrase}\"`.";

const PATHS: &str = "\
A part of JMESPath (<https://jmespath.org>): `a.b`, `\"odd name\"`, `a[0]`, `a[-1]`, `a[*].b`, `a.*`, filters such as \
`a[?type == 'x' && !hidden]`, `||` for the first that is there, `|` to go on with a result, `@` for the whole. Text \
stands in `'…'`, numbers and booleans in backquotes. Paths compare with `==` and `!=`.";

const CLASSES: &str = "\
Every call ends as exactly one of these. Only `empty` can become \"the request is lost\"; all others mean that \
replypath could not look, and the run ends as unknown.

| class | when |
| --- | --- |
| `ok` | the answer is what the file says |
| `empty` | asked properly, and nothing is there: an empty list in `rows`, `empty_if`, `empty_status` |
| `throttled` | too many calls |
| `unauthorised` | the credentials are refused, or a login page came instead of the API |
| `unavailable` | no connection, no answer in time, 408, 5xx |
| `denied` | refused by policy |
| `broken_contract` | a status or a shape that the file does not say: a missing list, no JSON, another host |";

/// The reference in Markdown.
pub fn reference() -> String {
    let mut out = format!("# Desk files\n\n{}\n\n", ROOT.doc);
    let _ = writeln!(out, "Check a file with `replypath desk check FILE`. A file to begin from:\n\n```toml\n{}```\n", EXAMPLE);
    let _ = writeln!(out, "## Templates\n\n{TEMPLATES}\n");
    variables(&mut out);
    filters(&mut out);
    let _ = writeln!(out, "## Paths\n\n{PATHS} Functions: {}.\n", list(&FUNCTIONS));
    let _ = writeln!(out, "## Result classes\n\n{CLASSES}\n");
    for shape in ROOT.reached() {
        section(shape, &mut out);
    }
    out
}

fn list(words: &[&str]) -> String {
    words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
}

fn variables(out: &mut String) {
    out.push_str("### Variables\n\n| where | variables |\n| --- | --- |\n");
    for (place, operation) in [
        ("`[desk]`, `[auth.NAME]`", Operation::Setup),
        ("`[[find]]`", Operation::Find),
        ("`[read]`, `[record]`, `[history]`", Operation::Id),
        ("`[messages]`, `[message]`, `[close]`, `[delete]`", Operation::Ticket),
        ("`[reply]`", Operation::Reply),
        ("`[note]`", Operation::Note),
        ("`[move]`", Operation::Move),
        ("`[mark]`", Operation::Mark),
        ("`[health]`, `[visit]`, `[presence]`", Operation::Health),
        ("`[chat]`", Operation::Visit),
        ("`[chat.begin]`, `[chat.say]`, `[chat.offline]`", Operation::Say),
        ("`[[create]]`", Operation::Create),
    ] {
        let mut names = operation.variables();
        let ticket = Operation::Ticket.variables();
        let as_ticket = operation != Operation::Ticket && names.starts_with(&ticket);
        if as_ticket {
            names.drain(..ticket.len());
        }
        let text = match (names.is_empty(), as_ticket) {
            (true, _) => "params only".to_owned(),
            (false, true) => format!("as `[close]`, and {}", list(&names)),
            (false, false) => list(&names),
        };
        let _ = writeln!(out, "| {place} | {text} |");
    }
    let _ = writeln!(
        out,
        "\n`token` is the word that the run wrote into its subject and text, `since` the time before which nothing of the run \
         can be. `random` is forty letters and digits, the same in all steps of a recipe; in `[chat]` it is another word in every operation. A file of a reply or form has {}.\n",
        list(&FILE_FIELDS.map(|f| format!("item.{f}")).each_ref().map(String::as_str))
    );
}

fn filters(out: &mut String) {
    out.push_str("### Filters\n\n| filter | gives |\n| --- | --- |\n");
    for (name, _, doc) in PLAIN {
        let _ = writeln!(out, "| `{name}` | {doc} |");
    }
    for (_, example, doc) in WITH_ARG {
        let _ = writeln!(out, "| `{example}` | {doc} |");
    }
    out.push('\n');
}

fn section(shape: &Shape, out: &mut String) {
    let _ = writeln!(out, "## {}\n", shape.heading);
    if shape.name != ROOT.name {
        let _ = writeln!(out, "{}\n", shape.doc);
    }
    out.push_str("| key | type | default | meaning |\n| --- | --- | --- | --- |\n");
    for key in shape.keys {
        let default = if key.required { "required" } else { key.default };
        let _ = writeln!(out, "| `{}` | {} | {default} | {} |", key.name, key.kind.words(), key.doc.replace('|', "\\|"));
    }
    out.push('\n');
    if !shape.reserved.is_empty() {
        let _ = writeln!(out, "Reserved for later releases: {}.\n", list(shape.reserved));
    }
}
