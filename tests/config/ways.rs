//! Probes that write in through a form or by chat.

use super::shared::{Catalog, MAIN, env, loaded, refused, write};
use replypath::config::load;
use replypath::model::{AnswerBy, Channel, ChatBy, ChatChannel, Fill, FormBy, FormChannel, Probe, Stage, Visitor, WhenOffline};
use std::time::Duration;

pub fn main() -> String {
    MAIN.replace("use = \"rt\"", "use = \"sandbox\"")
}

pub fn probe(text: &str) -> Probe {
    let config = loaded(&[("replypath.toml", &main()), ("probes/a.toml", text), ("probes/files/a.csv", "a;b")]);
    let stored = serde_json::to_string(&config.probes["a"]).unwrap();
    assert_eq!(serde_json::from_str::<Probe>(&stored).unwrap(), config.probes["a"], "it is stored whole");
    config.probes["a"].clone()
}

pub fn form(text: &str) -> FormChannel {
    let Channel::Form(form) = probe(text).channel else { panic!("no form") };
    form
}

pub fn chat(text: &str) -> ChatChannel {
    let Channel::Chat(chat) = probe(text).channel else { panic!("no chat") };
    *chat
}

pub const FORM: &str = "desk = \"helpdesk\"\naccount = \"alice\"\n[form]\npage = \"https://shop.example/contact\"\nsubject = \"Hello\"\ntext = \"A question\"\n";
pub const CHAT: &str = "desk = \"helpdesk\"\naccount = \"alice\"\n[chat]\ntext = \"A question\"\n";

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
