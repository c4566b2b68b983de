//! Probes that need a browser, in a build that has one.

use super::shared::{MAIN, loaded, refused};
use super::ways::{CHAT, FORM, chat, form};
use replypath::config::schema;
use replypath::model::{ChatBy, FieldBy, Fill, FormBy, WidgetStep};
use std::time::Duration;

#[test]
fn every_key_of_a_form_reaches_its_place() {
    let text = FORM.to_owned()
        + r##"
fields = [
  { label = "What is it about?", choose = "Billing" },
  { name = "order", write = 4711 },
  { type = "EMAIL", write = "${address}" },
  { order = 3, write = "${subject} ${text} ${token} ${run} ${customer}" },
  { label = "Consent", tick = true },
]
attachments = "files/a.csv"
attachments_in = { label = "Attachment" }
form = "#contact"
submit = "Send"
thanks = "Thank you"
number = 'ticket #([0-9]+)'
dwell = "250ms"
browser = true
frame = ["iframe.form", "x-form >>> iframe"]
limit = "30s"
"##;
    let form = form(&text);
    let field = |n: usize| (form.fields[n].by.clone(), form.fields[n].fill.clone());
    assert_eq!(field(0), (FieldBy::Label("What is it about?".into()), Fill::Choose("Billing".into())));
    assert_eq!(field(1), (FieldBy::Name("order".into()), Fill::Write("4711".into())));
    assert_eq!(field(2), (FieldBy::Type("email".into()), Fill::Write("${address}".into())));
    assert_eq!(field(3).0, FieldBy::Order(3));
    assert_eq!(field(4).1, Fill::Tick(true));
    assert_eq!((form.attachments[0].name.as_str(), form.attachments_in), ("a.csv", Some(FieldBy::Label("Attachment".into()))));
    assert_eq!((form.form.as_deref(), form.submit.as_deref(), form.thanks.as_deref()), (Some("#contact"), Some("Send"), Some("Thank you")));
    assert_eq!((form.number.as_deref(), form.dwell), (Some("ticket #([0-9]+)"), Duration::from_millis(250)));
    let frame = vec!["iframe.form".into(), "x-form >>> iframe".into()];
    assert_eq!(form.by, FormBy::Browser { frame, limit: Duration::from_secs(30) });
}

const WIDGET: &str = r##"
desk = "helpdesk"
account = "alice"
[chat]
page = "https://shop.example"
text = "Hello ${token}"
browser = true
limit = "2m"
[[chat.open]]
click = "#bubble"
[[chat.open]]
frame = "iframe.chat"
[[chat.open]]
wait_for = "x-chat >>> textarea"
[[chat.open]]
write = "${customer}"
into = "#name"
[[chat.open]]
choose = "Billing"
of = "select"
[[chat.say]]
write = "${line}"
into = "textarea"
[[chat.say]]
press = "Enter"
[[chat.leave]]
click = ".close"
[chat.read]
frame = "iframe.chat"
line = ".line"
agent = ".agent"
bot = ".bot"
"##;

#[test]
fn a_chat_bubble_is_driven_by_its_steps() {
    let ChatBy::Widget(widget) = chat(WIDGET).by else { panic!("no widget") };
    assert_eq!((widget.open.len(), widget.say.len(), widget.close.len(), widget.limit), (5, 2, 1, Duration::from_secs(120)));
    assert_eq!(widget.open[1], WidgetStep::Frame("iframe.chat".into()));
    assert_eq!(widget.open[3], WidgetStep::Write { into: "#name".into(), text: "${customer}".into() });
    assert_eq!(widget.open[4], WidgetStep::Choose { of: "select".into(), option: "Billing".into() });
    assert_eq!(widget.say[1], WidgetStep::Press("Enter".into()));
    assert_eq!((widget.frame, widget.line.as_str()), (vec!["iframe.chat".to_owned()], ".line"));
    assert_eq!((widget.agent.as_deref(), widget.bot.as_deref()), (Some(".agent"), Some(".bot")));
}

#[test]
fn a_chat_bubble_needs_no_chat_of_the_desk() {
    let config = loaded(&[("replypath.toml", MAIN), ("probes/a.toml", WIDGET)]);
    assert_eq!(config.probes["a"].channel_name(), "chat");
    let text = refused(&[("replypath.toml", MAIN), ("probes/a.toml", CHAT)]);
    assert!(text.contains("desk `helpdesk` has no chat"), "{text}");
}

/// The keys of a table that have a default, written out, but those named.
fn defaults(table: &str, without: &[&str]) -> String {
    let schema = schema("probe").unwrap();
    let keys = schema["properties"][table]["properties"].as_object().unwrap();
    let given = keys.iter().filter(|(k, _)| !without.contains(&k.as_str())).filter_map(|(k, v)| Some((k, v.get("default")?)));
    given.map(|(key, value)| format!("{key} = {value}\n")).collect()
}

#[test]
fn the_defaults_of_the_schema_are_those_of_the_loader() {
    let written = defaults("form", &["limit"]);
    assert!(written.contains("dwell = \"4s\"") && written.contains("browser = false"), "{written}");
    assert_eq!(form(&format!("{FORM}{written}")), form(FORM));
    let browser = format!("{FORM}browser = true\n");
    assert_eq!(form(&format!("{browser}{}", defaults("form", &["browser"]))), form(&browser));
    let written = defaults("chat", &["limit", "bot_turns"]);
    assert!(written.contains("visitor = \"fresh\"") && written.contains("when_offline = \"fail\""), "{written}");
    assert_eq!(chat(&format!("{CHAT}{written}")), chat(CHAT));
    let asks = format!("{CHAT}hand_over = \"Hello\"\n");
    assert_eq!(chat(&format!("{asks}{}", defaults("chat", &["limit"]))), chat(&asks));
}
