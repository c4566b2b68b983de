//! Probes that write in through a form or by chat.

use super::shared::{Catalog, MAIN, env, loaded, refused, write};
use replypath::config::load;
use replypath::model::{
    AnswerBy, Channel, ChatBy, ChatChannel, FieldBy, Fill, FormBy, FormChannel, Probe, Stage, Visitor, WhenOffline, WidgetStep,
};
use std::time::Duration;

fn main() -> String {
    MAIN.replace("use = \"rt\"", "use = \"sandbox\"")
}

fn probe(text: &str) -> Probe {
    let config = loaded(&[("replypath.toml", &main()), ("probes/a.toml", text), ("probes/files/a.csv", "a;b")]);
    let stored = serde_json::to_string(&config.probes["a"]).unwrap();
    assert_eq!(serde_json::from_str::<Probe>(&stored).unwrap(), config.probes["a"], "it is stored whole");
    config.probes["a"].clone()
}

fn form(text: &str) -> FormChannel {
    let Channel::Form(form) = probe(text).channel else { panic!("no form") };
    form
}

fn chat(text: &str) -> ChatChannel {
    let Channel::Chat(chat) = probe(text).channel else { panic!("no chat") };
    *chat
}

const FORM: &str = "desk = \"helpdesk\"\naccount = \"alice\"\n[form]\npage = \"https://shop.example/contact\"\nsubject = \"Hello\"\ntext = \"A question\"\n";
const CHAT: &str = "desk = \"helpdesk\"\naccount = \"alice\"\n[chat]\ntext = \"A question\"\n";

#[test]
fn a_small_form_gets_the_documented_defaults() {
    let probe = probe(FORM);
    assert_eq!((probe.gateway.as_str(), probe.channel_name(), probe.stages.len()), ("helpdesk-form", "form", 10));
    assert_eq!((probe.settle, probe.limit(Stage::Return), probe.limits.len()), (Duration::from_secs(60), Duration::from_secs(600), 0));
    let form = form(FORM);
    assert_eq!((form.subject.as_str(), form.text.as_str()), ("Hello", "A question\n\nReference: ${token}"));
    assert_eq!((form.by, form.dwell, form.page.as_deref()), (FormBy::Page, Duration::from_secs(4), Some("https://shop.example/contact")));
    assert!(form.fields.is_empty() && form.attachments.is_empty() && form.attachments_in.is_none());
    assert!(form.form.is_none() && form.submit.is_none() && form.thanks.is_none() && form.number.is_none());
}

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

#[test]
fn fields_may_stand_in_tables_of_their_own() {
    let form = form(&format!("{FORM}[[form.fields]]\nlabel = \"Topic\"\nchoose = \"Sales\"\n[[form.fields]]\norder = 2\ntick = false\n"));
    assert_eq!((form.fields.len(), form.fields[1].fill.clone()), (2, Fill::Tick(false)));
}

#[test]
fn a_recipe_of_the_desk_stands_in_for_a_page() {
    let text = FORM.replace("page = \"https://shop.example/contact\"", "recipe = \"web\"");
    let form = form(&text);
    assert_eq!((form.by, form.page), (FormBy::Recipe("web".into()), None));
}

#[test]
fn a_form_without_a_desk_is_named_after_its_page() {
    let text = FORM.replace("desk = \"helpdesk\"", "only = [\"send\", \"accept\", \"acknowledge\", \"clean_up\"]");
    assert_eq!(probe(&text).gateway, "shop-example-form");
}

#[test]
fn a_small_chat_gets_the_documented_defaults() {
    let probe = probe(CHAT);
    assert_eq!((probe.gateway.as_str(), probe.channel_name(), probe.settle), ("helpdesk-chat", "chat", Duration::from_secs(10)));
    for stage in Stage::ALL {
        let expected = if stage == Stage::CleanUp { 120 } else { 60 };
        assert_eq!(probe.limit(stage), Duration::from_secs(expected), "{stage}");
    }
    let chat = chat(CHAT);
    assert_eq!((chat.by, chat.text.as_str(), chat.page), (ChatBy::Desk, "A question\n\nReference: ${token}", None));
    assert_eq!((chat.when_offline, chat.answer, chat.visitor), (WhenOffline::Fail, AnswerBy::Chat, Visitor::Fresh));
    assert_eq!((chat.hand_over, chat.bot_turns, chat.reload, chat.pushed), (None, 3, false, true));
}

#[test]
fn every_key_of_a_chat_reaches_its_place() {
    let text = CHAT.to_owned()
        + "page = \"https://shop.example\"\nattachments = [\"files/a.csv\"]\nprechat = { name = \"${customer}\", order = 17 }\n\
           hand_over = \"Can I talk to a person?\"\nbot_turns = 2\nwhen_offline = \"unknown\"\nvisitor = \"kept\"\nreload = true\n\
           pushed = false\n[limits]\nreturn = \"20s\"\n";
    let chat = chat(&text);
    assert_eq!((chat.prechat["name"].as_str(), chat.prechat["order"].as_str()), ("${customer}", "17"));
    assert_eq!((chat.hand_over.as_deref(), chat.bot_turns), (Some("Can I talk to a person?"), 2));
    assert_eq!((chat.when_offline, chat.visitor, chat.reload, chat.pushed), (WhenOffline::Unknown, Visitor::Kept, true, false));
    assert_eq!((chat.attachments.len(), chat.page.as_deref()), (1, Some("https://shop.example")));
    assert_eq!((probe(&text).limit(Stage::Return), probe(&text).limit(Stage::Land)), (Duration::from_secs(20), Duration::from_secs(60)));
}

#[test]
fn where_the_answer_may_come_by_mail_it_has_the_time_of_mail() {
    for key in ["answer = \"email\"", "when_offline = \"message\""] {
        let text = format!("{CHAT}{key}\n");
        let probe = probe(&text);
        assert_eq!(
            (probe.limit(Stage::Return), probe.limit(Stage::FollowUp)),
            (Duration::from_secs(600), Duration::from_secs(600)),
            "{key}"
        );
        assert_eq!((probe.limit(Stage::Land), probe.settle), (Duration::from_secs(60), Duration::from_secs(60)), "{key}");
    }
    assert!(!chat(&format!("{CHAT}answer = \"email\"\n")).pushed, "nothing is pushed where the answer comes by mail");
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

#[test]
fn the_browser_is_found_by_its_settings() {
    let dir = tempfile::tempdir().unwrap();
    let main = format!("[daemon]\nbrowsers = 3\n[browser]\nchromium = \"bin/chromium\"\ndriver = \"bin/chromedriver\"\n{}", main());
    write(dir.path(), &[("replypath.toml", &main), ("bin/chromium", "x"), ("bin/chromedriver", "x"), ("probes/a.toml", FORM)]);
    let config = load(dir.path(), &env, &Catalog).unwrap();
    assert_eq!((config.daemon.browsers, config.browser.driver), (3, Some(dir.path().join("bin/chromedriver"))));
    assert_eq!(loaded(&[("replypath.toml", MAIN)]).daemon.browsers, 1);
    let text = refused(&[("replypath.toml", &main), ("probes/a.toml", FORM)]);
    assert!(text.contains("`driver`: `bin/chromedriver` cannot be started: it does not exist"), "{text}");
}

#[test]
fn a_password_in_a_page_is_not_shown() {
    for page in ["https://me:geheim@shop.example/", "htps://me:geheim@shop.example/", "me:geheim@shop.example"] {
        let text = refused(&[("replypath.toml", &main()), ("probes/a.toml", &FORM.replace("https://shop.example/contact", page))]);
        assert!(text.contains("probes/a.toml:4:8") && !text.contains("geheim"), "{text}");
    }
}
