//! Reads `[chat]` and `[presence]`.

use super::body::shape;
use super::mapping::{field, files, main_step, timed};
use super::names::{Names, Op};
use super::steps::{condition, fails, pairs, picks, step, steps, taken, word};
use crate::desk::chat::recipe::{Act, Await, ChatRecipe, ChatStep, Limit, LineMap, Presence, Push, SocketStep, Transport};
use crate::desk::definition::{Param, Step};
use crate::desk::reader::Table;
use crate::desk::recipe::Source;
use crate::desk::shape::{CHAT_FAULTS, LIMIT_SCOPES, PUSHING, SPEAKERS, TRANSPORTS};
use crate::desk::template::{Part, Template};
use crate::problem::suggest;
use std::time::Duration;

/// The longest time for which a call may be kept open by the desk.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The longest `deadline` of an `await`.
const LONGEST_DEADLINE: Duration = Duration::from_secs(300);

/// Reads `[presence]`.
pub fn presence(root: &Table<'_>, params: &[Param], auths: &[String]) -> Option<Presence> {
    let table = root.table("presence")?;
    let mut names = Names::new(root.reader, Op::Health, params);
    let steps = steps(table.tables("step"), &mut names, auths);
    let available = table.get("available").and_then(|n| names.source(n, "`available`"));
    need(&table, "[presence]", &["step", "available"]);
    table.finish("[presence]");
    Some(Presence { steps, available: available? })
}

/// Reads `[chat]`.
pub fn chat(root: &Table<'_>, params: &[Param], auths: &[String]) -> Option<ChatRecipe> {
    let table = root.table("chat")?;
    let identity: Vec<String> = table.strings("identity").into_iter().map(|(name, _)| name).collect();
    let one = |key: &'static str| table.string(key);
    let (conversation, visitor) = (one("conversation"), one("visitor"));
    let mut names = Names::new(root.reader, Op::Visit, params);
    // What makes the visitor is there in every step: from an earlier step, or from an earlier run.
    names.picks.extend(identity.iter().cloned());
    let reader = Reading { names, auths };

    let Offered { steps: offer, offered, questions, answered } = offer(&table, &reader);
    let begin = reader.act(&table, "begin", Op::Say);
    for name in identity.iter().chain(&conversation).chain(&visitor) {
        if !picked(&begin, name) && !picked(&offer, name) {
            let help = "write STEP.NAME of a `pick` in [chat.begin]".to_owned();
            let key = if identity.contains(name) { "identity" } else { "conversation" };
            root.reader.problem(table.key_span(key), format!("no step picks `{name}`"), Some(help));
        }
    }
    let (history, ended, history_names) = history(&table, &reader);
    let http: Vec<Step> = history.iter().filter_map(|s| if let Act::Http(step) = &s.act { Some((**step).clone()) } else { None }).collect();
    let line = table.table("line").and_then(|t| line(&t, &history_names, &http));
    let recipe = ChatRecipe {
        transport: transport(&table, &reader.names),
        conversation,
        visitor,
        headers: pairs(&table, "headers", &reader.names),
        cookies: table.boolean("cookies").unwrap_or(false),
        every: duration(&table, "every", Duration::from_secs(3), Duration::from_secs(1)..=LONGEST_WAIT),
        limit: table.table("limit").and_then(|t| limit(&t)),
        frame: table.get("frame").and_then(|n| reader.names.template(n, "`frame`")),
        offer,
        offered,
        questions,
        answered,
        begin,
        say: reader.act(&table, "say", Op::Say),
        history,
        ended,
        line,
        pushes: table.tables("push").into_iter().filter_map(|t| reader.push(&t, "[[chat.push]]")).collect(),
        agents: table.table("agents").and_then(|t| reader.push(&t, "[chat.agents]")),
        resume: reader.act(&table, "resume", Op::Visit),
        offline: reader.act(&table, "offline", Op::Say),
        leave: reader.act(&table, "leave", Op::Visit),
        identity,
    };
    consistent(&table, &recipe);
    table.finish("[chat]");
    Some(recipe)
}

/// What fits together within `[chat]`.
fn consistent(table: &Table<'_>, recipe: &ChatRecipe) {
    need(table, "[chat]", &["begin", "say"]);
    for (has, lacks) in [("history", "line"), ("push", "line")] {
        if table.has(has) && !table.has(lacks) && !(has == "push" && recipe.pushes.iter().all(|p| p.line.is_some())) {
            table.reader.problem(table.key_span(has), format!("[chat.{has}] needs [chat.line]"), table.meaning("line"));
        }
    }
    if let [Part::Text(word)] = recipe.transport.parts()
        && let Some(transport) = Transport::of(word)
        && transport != Transport::Http
        && !recipe.pushes.iter().any(|p| p.transport == transport)
    {
        let help = format!("add [[chat.push]] with transport = \"{word}\"");
        table.reader.problem(table.key_span("transport"), format!("nothing says how `{word}` is opened"), Some(help));
    }
    if !table.has("history") && recipe.pushes.is_empty() {
        let help = "say how lines are read: [chat.history], or [[chat.push]]".to_owned();
        table.reader.problem(Some(table.span()), "a visitor of this desk would never see an answer", Some(help));
    }
    for (index, push) in recipe.pushes.iter().enumerate() {
        if recipe.pushes[..index].iter().any(|p| p.transport == push.transport) {
            let message = format!("there are two [[chat.push]] for `{}`", push.transport.as_str());
            table.reader.problem(table.key_span("push"), message, Some("keep one".to_owned()));
        }
    }
}

fn need(table: &Table<'_>, what: &str, keys: &[&str]) {
    for key in keys.iter().filter(|k| !table.has(k)) {
        table.reader.problem(Some(table.span()), format!("{what} needs `{key}`"), table.meaning(key));
    }
}

fn picked(steps: &[ChatStep], name: &str) -> bool {
    let Some((id, pick)) = name.split_once('.') else { return false };
    steps.iter().filter(|s| s.id() == id).any(|s| match &s.act {
        Act::Http(step) => step.pick.iter().any(|p| p.name == pick),
        Act::Socket(step) => step.wait.iter().flat_map(|w| &w.pick).any(|p| p.name == pick),
    })
}

fn transport(table: &Table<'_>, names: &Names<'_>) -> Template {
    let usual = || Template::parse("http").unwrap_or_else(|_| unreachable!("a word is a template"));
    let Some(node) = table.get("transport") else { return usual() };
    let Some(template) = names.template(node, "`transport`") else { return usual() };
    if template.expressions().next().is_none() && Transport::of(template.text()).is_none() {
        let help = suggest(template.text(), &TRANSPORTS, "transports");
        table.reader.problem(Some(node.span()), format!("there is no transport `{}`", template.text()), Some(help));
    }
    template
}

/// A duration between bounds.
fn duration(table: &Table<'_>, key: &'static str, usual: Duration, bounds: std::ops::RangeInclusive<Duration>) -> Duration {
    let Some(node) = table.get(key) else { return usual };
    let Some(found) = table.reader.duration(node, &format!("`{key}`")) else { return usual };
    if !bounds.contains(&found) {
        let text = format!("`{key}` must be between {} s and {} s", bounds.start().as_secs_f32(), bounds.end().as_secs());
        table.reader.problem(Some(node.span()), text, None);
    }
    found
}

fn limit(table: &Table<'_>) -> Option<Limit> {
    let count = table.get("count").and_then(|n| table.reader.number(n, "`count`", 1..=10_000));
    let per = table.get("per").and_then(|n| table.reader.duration(n, "`per`"));
    let scope = word(table, "scope", &LIMIT_SCOPES);
    need(table, "`limit`", &["count", "per"]);
    table.finish("`limit`");
    Some(Limit { count: count? as usize, per: per?, by_visitor: scope == Some("visitor") })
}

/// What `[chat.offer]` says.
#[derive(Default)]
struct Offered {
    steps: Vec<ChatStep>,
    offered: Option<Template>,
    questions: Option<Source>,
    answered: Vec<String>,
}

fn offer(table: &Table<'_>, reader: &Reading<'_>) -> Offered {
    let Some(inner) = table.table("offer") else { return Offered::default() };
    let mut names = reader.names.clone();
    let steps = reader.steps(&inner, &mut names);
    let offered = condition(&inner, "offered", &names);
    let questions = inner.get("questions").and_then(|n| names.source(n, "`questions`"));
    let answered = inner.strings("answered").into_iter().map(|(key, _)| key).collect();
    need(&inner, "[chat.offer]", &["step"]);
    inner.finish("[chat.offer]");
    Offered { steps, offered, questions, answered }
}

fn history<'n>(table: &Table<'_>, reader: &Reading<'n>) -> (Vec<ChatStep>, Option<Template>, Names<'n>) {
    let mut names = reader.names.clone();
    let Some(inner) = table.table("history") else { return (Vec::new(), None, names) };
    let steps = reader.steps(&inner, &mut names);
    for step in &steps {
        if let Act::Socket(step) = &step.act {
            let message = format!("the step `{}` speaks on the socket; the stored conversation is read by calls", step.id);
            table.reader.problem(Some(inner.span()), message, None);
        }
    }
    let ended = condition(&inner, "ended", &names);
    need(&inner, "[chat.history]", &["step"]);
    inner.finish("[chat.history]");
    (steps, ended, names)
}

/// Reads a line's mapping. Without steps it is for pushed lines only.
fn line(table: &Table<'_>, names: &Names<'_>, steps: &[Step]) -> Option<LineMap> {
    let main = if steps.is_empty() { None } else { main_step(table, names, steps) };
    let one = |key: &'static str| table.get(key).and_then(|n| field(n, names, &[]));
    let out = LineMap {
        main: main.unwrap_or_default(),
        id: one("id"),
        speaker: table.get("speaker").and_then(|n| field(n, names, &SPEAKERS)),
        text: one("text"),
        html: one("html"),
        at: table.get("at").and_then(|n| timed(n, names)),
        files: table.table("files").and_then(|t| files(&t, names)),
    };
    if out.text.is_none() && out.html.is_none() && !table.has("text") && !table.has("html") {
        table.reader.problem(Some(table.span()), "a line has no text", Some("map `text` or `html`".to_owned()));
    }
    table.finish("a line");
    Some(out)
}

/// What every part of `[chat]` is read with.
struct Reading<'n> {
    names: Names<'n>,
    auths: &'n [String],
}

impl Reading<'_> {
    fn act(&self, table: &Table<'_>, key: &'static str, op: Op) -> Vec<ChatStep> {
        let Some(inner) = table.table(key) else { return Vec::new() };
        let mut names = Names { op, ..self.names.clone() };
        let steps = self.steps(&inner, &mut names);
        let what = format!("[chat.{key}]");
        need(&inner, &what, &["step"]);
        inner.finish(&what);
        steps
    }

    fn steps(&self, table: &Table<'_>, names: &mut Names<'_>) -> Vec<ChatStep> {
        let mut out: Vec<ChatStep> = Vec::new();
        for inner in table.tables("step") {
            let Some(step) = self.step(&inner, names, out.len()) else { continue };
            let both = |other: &ChatStep| {
                other.id() == step.id() && (other.on.is_empty() || step.on.is_empty() || other.on.iter().any(|t| step.on.contains(t)))
            };
            if out.iter().any(both) {
                let help = "give each its own id, or its own `transport`".to_owned();
                names.reader.problem(Some(inner.span()), format!("there are two steps `{}`", step.id()), Some(help));
            }
            match &step.act {
                Act::Http(s) => taken(&s.id, &s.pick, names),
                Act::Socket(s) => taken(&s.id, s.wait.as_ref().map(|w| w.pick.as_slice()).unwrap_or_default(), names),
            }
            out.push(step);
        }
        out
    }

    fn step(&self, table: &Table<'_>, names: &Names<'_>, index: usize) -> Option<ChatStep> {
        let mut on = Vec::new();
        for (name, span) in table.strings("transport") {
            match Transport::of(&name) {
                Some(transport) => on.push(transport),
                None => {
                    let help = suggest(&name, &TRANSPORTS, "transports");
                    table.reader.problem(Some(span), format!("there is no transport `{name}`"), Some(help));
                }
            }
        }
        let fault = word(table, "else", &CHAT_FAULTS);
        let act = if table.has("send") || table.has("await") {
            if !on.iter().all(|t| t.is_socket()) || on.is_empty() {
                let help = "transport = \"json-events\" or \"actioncable\"".to_owned();
                table.reader.problem(Some(table.span()), "only a socket can `send` and `await`", Some(help));
            }
            Act::Socket(Box::new(socket_step(table, names, index)?))
        } else {
            Act::Http(Box::new(step(table, names, self.auths, index)?))
        };
        Some(ChatStep { on, fault, act })
    }

    fn push(&self, table: &Table<'_>, what: &str) -> Option<Push> {
        let transport = word(table, "transport", &PUSHING).and_then(Transport::of);
        let mut names = self.names.clone();
        names.extra.extend(["wait", "wait_ms", "cursor"]);
        let open = table.table("open").and_then(|t| step(&t, &names, self.auths, 0)).map(opening);
        if open.as_ref().is_some_and(Step::writes) {
            let help = "a call that is made again and again must not change anything: say reads = true".to_owned();
            table.reader.problem(table.key_span("open"), "`open` would write", Some(help));
        }
        let cursor = table.string("cursor");
        if let (Some(cursor), Some(open)) = (&cursor, &open)
            && !open.pick.iter().any(|p| p.name == *cursor)
        {
            table.reader.problem(table.key_span("cursor"), format!("`open` does not pick `{cursor}`"), None);
        }
        let (polled, cable) = (transport == Some(Transport::LongPoll), transport == Some(Transport::ActionCable));
        if polled && open.as_ref().is_some_and(|o| o.rows.is_none()) {
            table.reader.problem(table.key_span("open"), "a long poll needs `rows` in `open`", None);
        }
        if cable != table.has("subscribe") && transport.is_some() {
            table.reader.problem(Some(table.span()), "`subscribe` and `actioncable` belong together", table.meaning("subscribe"));
        }
        let keepalive = table.table("keepalive").and_then(|t| {
            let send = t.get("send").and_then(|n| shape(n, &names));
            let every = duration(&t, "every", Duration::from_secs(20), Duration::from_secs(1)..=Duration::from_secs(600));
            need(&t, "`keepalive`", &["send"]);
            t.finish("`keepalive`");
            Some((send?, every))
        });
        let silence = Duration::from_secs(if cable { 12 } else { 60 });
        let out = Push {
            transport: transport.unwrap_or(Transport::Sse),
            wait: duration(table, "wait", Duration::from_secs(25), Duration::from_secs(1)..=LONGEST_WAIT),
            cursor,
            subscribe: table.get("subscribe").and_then(|n| shape(n, &names)),
            hello: table.get("hello").and_then(|n| shape(n, &names)),
            when: table.path("when"),
            row: table.path("row"),
            conversation: table.path("conversation"),
            line: table.table("line").and_then(|t| line(&t, &names, &[])),
            ended: table.path("ended"),
            keepalive,
            silence: duration(table, "silence", silence, Duration::from_secs(2)..=Duration::from_secs(3600)),
            open: open?,
        };
        need(table, what, &["transport", "open"]);
        table.finish(what);
        Some(out)
    }
}

/// The call that opens a path. `ws:` and `wss:` are the schemes of its handshake, `http:` and `https:` (RFC 6455 section 3).
fn opening(step: Step) -> Step {
    let text = step.target.text();
    let plain = text.strip_prefix("ws").filter(|rest| rest.starts_with("://") || rest.starts_with("s://"));
    let target = plain.and_then(|rest| Template::parse(&format!("http{rest}")).ok());
    Step { id: "open".to_owned(), target: target.unwrap_or(step.target), ..step }
}

fn socket_step(table: &Table<'_>, names: &Names<'_>, index: usize) -> Option<SocketStep> {
    let id = table.string("id").unwrap_or_else(|| format!("step{}", index + 1));
    let out = SocketStep {
        id,
        when: condition(table, "when", names),
        unless: condition(table, "unless", names),
        send: table.get("send").and_then(|n| shape(n, names)),
        reads: table.boolean("reads").unwrap_or(names.op == Op::Visit),
        wait: table.table("await").and_then(|t| wait(&t)),
    };
    table.finish("a step on the socket");
    Some(out)
}

fn wait(table: &Table<'_>) -> Option<Await> {
    let out = Await {
        token: table.path("token"),
        check: table.path("check"),
        fail: table.table("fail").map(|t| fails(&t)).unwrap_or_default(),
        pick: picks(table),
        deadline: duration(table, "deadline", Duration::from_secs(15), Duration::from_secs(1)..=LONGEST_DEADLINE),
        fault: word(table, "else", &CHAT_FAULTS),
        when: match table.path("when") {
            Some(path) => path,
            None => {
                need(table, "`await`", &["when"]);
                table.finish("`await`");
                return None;
            }
        },
    };
    table.finish("`await`");
    Some(out)
}
