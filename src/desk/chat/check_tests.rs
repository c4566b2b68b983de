//! What the checker says of `[chat]` and `[presence]`: each fault where it stands, with what would be right.

use crate::desk::Definition;
use crate::desk::testing::definition;

const CHAT: &str = r#"
[presence]
available = "a:online"
  [[presence.step]]
  id = "a"
  get = "/agents"
[chat]
transport = "json-events"
identity = ["b.secret"]
conversation = "b.id"
limit = { count = 5, per = "1h", scope = "visitor" }
[chat.offer]
offered = "o.online"
  [[chat.offer.step]]
  id = "o"
  get = "/status"
  pick = { online = "online" }
[chat.begin]
  [[chat.begin.step]]
  id = "b"
  post = "/begin"
  body.json = { text = "${text}", name = "${prechat.name|default:customer.name}" }
  pick = { id = "id", secret = "secret" }
[chat.say]
  [[chat.say.step]]
  transport = "json-events"
  send = { say = "${text}", secret = "${b.secret}" }
  await = { when = "event == 'line'", token = "text", deadline = "10s", else = "chat-server-error" }
[chat.history]
  [[chat.history.step]]
  get = "/lines/${conversation}"
  rows = "lines"
[chat.line]
id = "id"
text = "text"
speaker = { from = "from", map = { a = "agent" } }
[[chat.push]]
transport = "json-events"
open = { get_url = "wss://${url|host}/ws" }
"#;

#[test]
fn each_fault_of_a_chat_is_shown_where_it_stands() {
    let good = definition(CHAT);
    let problems = |text: &str| Definition::parse("desks/mine.toml", text).err().unwrap_or_default();
    assert_eq!(problems(&good), []);
    // What to replace, with what, the text pointed at, a piece of the message, a piece of the help.
    let cases = [
        (
            "transport = \"json-events\"\nidentity",
            "transport = \"json-event\"\nidentity",
            "\"json-event\"",
            "no transport",
            "`json-events`",
        ),
        (
            "transport = \"json-events\"\nidentity",
            "transport = \"sse\"\nidentity",
            "transport",
            "nothing says how `sse` is opened",
            "[[chat.push]]",
        ),
        ("identity = [\"b.secret\"]", "identity = [\"b.secret\", \"b.key\"]", "identity", "no step picks `b.key`", "STEP.NAME"),
        ("conversation = \"b.id\"", "conversation = \"c.id\"", "conversation", "no step picks `c.id`", "STEP.NAME"),
        ("offered = \"o.online\"", "offered = \"o.onlne\"", "\"o.onlne\"", "nothing here is called `o.onlne`", "did you mean `o.online`?"),
        ("${prechat.name|default:customer.name}", "${customer.nam}", "${customer.nam}", "nothing here is called", "`customer.name`"),
        ("get = \"/status\"", "get = \"/status/${text}\"", "${text}", "nothing here is called `text`", ""),
        ("transport = \"json-events\"\n  send", "send", "", "only a socket can `send` and `await`", "json-events"),
        ("when = \"event == 'line'\"", "when = \"event = 'line'\"", "", "cannot be read", ""),
        ("await = { when = \"event == 'line'\", ", "await = { ", "", "`await` needs `when`", ""),
        ("deadline = \"10s\"", "deadline = \"10m\"", "\"10m\"", "must be between 1 s and 300 s", ""),
        ("else = \"chat-server-error\"", "else = \"chat-server-eror\"", "\"chat-server-eror\"", "cannot be", "`chat-server-error`"),
        ("{ a = \"agent\" }", "{ a = \"agnet\" }", "\"agnet\"", "none of the values", "`agent`"),
        ("[chat.line]\nid = \"id\"\ntext = \"text\"", "[chat.line]\nid = \"id\"", "", "a line has no text", "map `text` or `html`"),
        (
            "[[chat.push]]\ntransport = \"json-events\"",
            "[[chat.push]]\ntransport = \"jsonevents\"",
            "\"jsonevents\"",
            "cannot be `jsonevents`",
            "`json-events`",
        ),
        ("open = { get_url", "open = { post_url", "open", "`open` would write", "reads = true"),
        ("scope = \"visitor\"", "scope = \"person\"", "\"person\"", "cannot be `person`", "address"),
        ("available = \"a:online\"", "available = \"b:online\"", "b", "no step `b` has an answer here", ""),
        ("[chat.say]\n  [[chat.say.step]]", "[chat.sai]\n  [[chat.sai.step]]", "sai", "has no key `sai`", "did you mean `say`?"),
        ("rows = \"lines\"", "typing = \"x\"\n  rows = \"lines\"", "typing", "has no key `typing`", ""),
    ];
    for (from, to, at, message, help) in cases {
        assert!(good.contains(from), "{from}");
        let text = good.replacen(from, to, 1);
        let found = problems(&text);
        let fits = |p: &crate::problem::Problem| {
            let shown = p.span.clone().map(|s| &text[s]).unwrap_or_default();
            (at.is_empty() || shown == at) && p.message.contains(message) && p.help.as_deref().unwrap_or_default().contains(help)
        };
        assert!(
            found.iter().any(fits),
            "{to}: {:?}",
            found.iter().map(|p| (p.span.clone().map(|s| &text[s]), &p.message, &p.help)).collect::<Vec<_>>()
        );
    }
}
