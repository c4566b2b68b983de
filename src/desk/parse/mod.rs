//! The checker of desk files: reads a definition, reports every problem at once, needs no network.

mod body;
mod chat;
mod create;
mod lint;
mod mapping;
mod names;
mod rows;
mod setup;
mod steps;

use super::definition::{Definition, Find, Step};
use super::reader::{Reader, Table};
use super::recipe::{Field, FileBytes, MessageMap};
use super::shape::ROOT;
use crate::model::{Capability, View};
use crate::problem::Problem;
use crate::problem::suggest;
pub(crate) use mapping::{AUTHORS, STATUSES, TRUTH};
pub(crate) use names::Op as Operation;
use names::{Names, Op};
use steps::steps;
use toml::de::DeTable;

/// Reads a definition.
pub fn definition(origin: &str, text: &str) -> Result<Definition, Vec<Problem>> {
    let reader = Reader::new(origin, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            reader.problem(error.span(), error.message().trim().to_owned(), None);
        }
        return Err(reader.problems());
    }
    let root = Table::new(&reader, document.get_ref(), document.span(), &ROOT);
    let definition = read_all(&root, origin);
    drop(root);
    match (definition, reader.problems()) {
        (Some(definition), problems) if problems.is_empty() => Ok(definition),
        (None, problems) if problems.is_empty() => Err(vec![Problem {
            file: origin.to_owned(),
            text: Some(text.into()),
            span: None,
            message: "this desk file is incomplete".to_owned(),
            help: None,
        }]),
        (_, problems) => Err(problems),
    }
}

fn read_all(root: &Table<'_>, origin: &str) -> Option<Definition> {
    let reader = root.reader;
    let params = setup::params(root);
    let head = setup::head(root, &params);
    let (auths, auth_names) = setup::auths(root, &params);
    let outcome = setup::outcome(root);
    let (finds, includes) = finds(root, &params, &auth_names);

    let mut read_names = Names::new(reader, Op::Id, &params);
    let read = operation(root, "read", &mut read_names, &auth_names, &[]).0;
    // Without steps every path of the mapping would be wrong for the same reason.
    let record = root.table("record").filter(|_| root.has("read")).and_then(|t| mapping::record(&t, &read_names));
    together(root, "read", "record");

    let mut message_names = Names { op: Op::Ticket, ..read_names.clone() };
    let (messages, _) = operation(root, "messages", &mut message_names, &auth_names, &[]);
    let message = root.table("message").filter(|_| root.has("messages")).and_then(|t| mapping::message(&t, &message_names, &messages));
    let message = message.map(|m| MessageMap { needs_read: needs_read(&m, &messages, &read), ..m });
    together(root, "messages", "message");

    let mut history_names = Names::new(reader, Op::Id, &params);
    let (history, table) = operation(root, "history", &mut history_names, &auth_names, &["entry"]);
    let entry = table.and_then(|t| match t.table("entry") {
        Some(entry) => mapping::entry(&entry, &history_names, &history),
        None => {
            reader.problem(Some(t.span()), "[history] needs [history.entry]", None);
            None
        }
    });

    let act = |key: &'static str, op: Op| {
        let mut names = Names::new(reader, op, &params);
        operation(root, key, &mut names, &auth_names, &[]).0
    };
    let mut reply_names = Names::new(reader, Op::Reply, &params);
    let (reply, table) = operation(root, "reply", &mut reply_names, &auth_names, &["message_id"]);
    let receipt = table.and_then(|t| t.get("message_id")).and_then(|n| mapping::field(n, &reply_names, &[]));
    let mut health_names = Names::new(reader, Op::Health, &params);
    let (health, table) = operation(root, "health", &mut health_names, &auth_names, &["say"]);
    let health_say = table.map(|t| setup::say(&t, &health_names)).unwrap_or_default();

    let (note_steps, close, delete) = (act("note", Op::Note), act("close", Op::Ticket), act("delete", Op::Ticket));
    let (move_to, mark) = (act("move", Op::Move), act("mark", Op::Mark));
    let visit = act("visit", Op::Health);
    let presence = chat::presence(root, &params, &auth_names);
    let chat = chat::chat(root, &params, &auth_names).map(std::sync::Arc::new);
    let creates = create::creates(root, &params, &auth_names);
    let limit = root.table("limit").and_then(|t| create::limit(&t));
    root.finish("a desk file");
    let head = head?;
    let mut definition = Definition {
        id: head.id,
        title: head.title,
        origin: origin.to_owned(),
        versions: head.versions,
        note: head.note,
        unproven: head.unproven,
        base: head.base?,
        hosts: head.hosts,
        params: params.clone(),
        auths,
        outcome,
        finds,
        read,
        record,
        messages,
        message,
        history,
        entry,
        reply,
        receipt,
        note_steps,
        close,
        delete,
        move_to,
        mark,
        health,
        health_say,
        visit,
        presence,
        chat,
        creates,
        limit,
        capabilities: Vec::new(),
        views: Vec::new(),
        includes,
    };
    definition.capabilities = capabilities(&definition);
    definition.views = views(&definition);
    least(root, &definition);
    create::affordable(root, &definition);
    Some(definition)
}

/// Reads the steps of `[name]`; the table is handed back for further keys, which `more` names.
fn operation<'t>(
    root: &Table<'t>,
    name: &'static str,
    names: &mut Names<'_>,
    auths: &[String],
    more: &[&'static str],
) -> (Vec<Step>, Option<Table<'t>>) {
    let Some(table) = root.table(name) else { return (Vec::new(), None) };
    let list = table.tables("step");
    if list.is_empty() && !table.has("step") {
        root.reader.problem(Some(table.span()), format!("[{name}] has no step"), Some(format!("write [[{name}.step]]")));
    }
    let read = steps(list, names, auths);
    for key in more {
        table.get(key);
    }
    table.finish(&format!("[{name}]"));
    (read, Some(table))
}

fn together(root: &Table<'_>, a: &'static str, b: &'static str) {
    for (has, lacks) in [(a, b), (b, a)] {
        if let (Some(span), false) = (root.key_span(has), root.has(lacks)) {
            let help = root.meaning(lacks);
            root.reader.problem(Some(span), format!("[{has}] needs [{lacks}]"), help);
        }
    }
}

fn finds(root: &Table<'_>, params: &[super::definition::Param], auths: &[String]) -> (Vec<Find>, Vec<View>) {
    let mut out: Vec<Find> = Vec::new();
    let mut includes = Vec::new();
    for (index, table) in root.tables("find").into_iter().enumerate() {
        let id = table.string("id").unwrap_or_else(|| format!("find{}", index + 1));
        if out.iter().any(|f| f.id == id) {
            root.reader.problem(Some(table.span()), format!("there are two [[find]] called `{id}`"), None);
        }
        lag(&table);
        let view = table.get("view").and_then(|n| view(&table, &table.reader.string(n, "`view`")?, n.span())).unwrap_or(View::Normal);
        for (name, span) in table.strings("includes") {
            includes.extend(self::view(&table, &name, span));
        }
        let mut names = Names::new(root.reader, Op::Find, params);
        let tables = table.tables("step");
        match tables.last() {
            None => root.reader.problem(Some(table.span()), "this [[find]] has no step", Some("write [[find.step]]".to_owned())),
            Some(last) if !last.has("rows") || !last.has("match") => {
                let help = "the last step says where the list is (rows) and which row is meant (match)".to_owned();
                root.reader.problem(Some(table.span()), "this [[find]] does not say what it finds", Some(help));
            }
            Some(_) => {}
        }
        let steps = steps(tables, &mut names, auths);
        table.finish("[[find]]");
        out.push(Find { id, view, steps });
    }
    (out, includes)
}

/// How fresh the search is: `none`, `async`, or a duration. Told to people; the engine polls anyway.
fn lag(table: &Table<'_>) {
    let Some(node) = table.get("lag") else { return };
    match node.get_ref().as_str() {
        Some("none" | "async") => {}
        _ => {
            table.reader.duration(node, "`lag`");
        }
    }
}

fn view(table: &Table<'_>, name: &str, span: std::ops::Range<usize>) -> Option<View> {
    const ALL: [View; 5] = [View::Normal, View::Suspended, View::Spam, View::Closed, View::Deleted];
    let found = ALL.into_iter().find(|v| v.as_str() == name);
    if found.is_none() {
        let names = ALL.map(View::as_str);
        table.reader.problem(Some(span), format!("there is no view `{name}`"), Some(suggest(name, &names, "views")));
    }
    found
}

/// True when the mapping looks at a step of `read` that is not among the steps of `messages`.
fn needs_read(message: &MessageMap, messages: &[Step], read: &[Step]) -> bool {
    let fields = [&message.public, &message.author, &message.text, &message.html, &message.message_id, &message.delivery];
    let mut all: Vec<&Field> = fields.into_iter().flatten().collect();
    all.push(&message.id);
    all.extend(message.at.as_ref().map(|t| &t.field));
    all.extend(message.body.iter().flat_map(|(a, b)| [a, b]));
    let mut names = mapping::mentioned(&all);
    for step in messages {
        let templates = std::iter::once(&step.target).chain(step.query.iter().map(|(_, t)| t)).chain(&step.when).chain(&step.unless);
        for expr in templates.flat_map(|t| t.expressions()) {
            if let super::template::Name::Step(step, _) = &expr.name {
                names.push(step.clone());
            }
        }
    }
    names.iter().any(|n| read.iter().any(|s| s.id == *n) && !messages.iter().any(|s| s.id == *n))
}

fn capabilities(d: &Definition) -> Vec<Capability> {
    let files = d.message.as_ref().and_then(|m| m.files.as_ref()).is_some_and(|f| !matches!(f.bytes, FileBytes::None));
    [
        (Capability::Find, !d.finds.is_empty()),
        (Capability::Read, !d.read.is_empty() && d.record.is_some()),
        (Capability::Messages, !d.messages.is_empty() && d.message.is_some()),
        (Capability::Reply, !d.reply.is_empty()),
        (Capability::Note, !d.note_steps.is_empty()),
        (Capability::Close, !d.close.is_empty()),
        (Capability::Delete, !d.delete.is_empty()),
        (Capability::Move, !d.move_to.is_empty()),
        (Capability::Mark, !d.mark.is_empty()),
        (Capability::History, !d.history.is_empty() && d.entry.is_some()),
        (Capability::Health, !d.health.is_empty()),
        (Capability::Files, files),
        (Capability::Presence, d.presence.is_some()),
        (Capability::Chat, d.chat.is_some()),
        (Capability::Create, !d.creates.is_empty()),
    ]
    .into_iter()
    .filter_map(|(c, has)| has.then_some(c))
    .collect()
}

fn views(d: &Definition) -> Vec<View> {
    let mut views = vec![View::Normal];
    for find in &d.finds {
        if !views.contains(&find.view) {
            views.push(find.view);
        }
    }
    views
}

/// A desk must work with find and read alone, and nothing may be changed that cannot be told apart from others' tickets.
fn least(root: &Table<'_>, d: &Definition) {
    if !d.finds.iter().any(|f| f.view == View::Normal) && !root.has("find") {
        root.reader.problem(None, "this desk file has no [[find]]", Some("a desk needs at least find and read".to_owned()));
    } else if !d.finds.iter().any(|f| f.view == View::Normal) {
        root.reader.problem(
            root.key_span("find"),
            "no [[find]] looks into the normal view",
            Some("leave out `view` in one of them".to_owned()),
        );
    }
    if !root.has("read") {
        root.reader.problem(None, "this desk file has no [read]", Some("a desk needs at least find and read".to_owned()));
    }
    let destructive = ["reply", "close", "delete", "move", "mark", "note"].into_iter().find_map(|k| root.key_span(k));
    if let (Some(span), Some(record)) = (destructive, &d.record)
        && record.requester.is_none()
        && !root.table("record").is_some_and(|t| t.has("requester"))
    {
        let help = "replypath changes a ticket only after proving that its own customer wrote it: map `requester`".to_owned();
        root.reader.problem(Some(span), "a desk that changes tickets must map the requester", Some(help));
    }
}
