//! Forms and a chat bubble in Chromium: that of django-helpdesk, and those of the sandbox that are embedded in a frame,
//! live in a shadow root and need JavaScript. Each test has a replypath, and so a Chromium, of its own.

use crate::form::form;
use crate::helpdesk;
use crate::site::{Desk, Expected, Probe, Ran, Site, digest, outcome};
use crate::stack::{Lane, nonce};
use crate::stack_or_skip;

/// Held by whoever uses Chromium: three at once on two cores would wait for each other until their limits.
static CHROMIUM: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn turn() -> std::sync::MutexGuard<'static, ()> {
    CHROMIUM.lock().unwrap_or_else(|e| e.into_inner())
}

fn assert_every_stage_passed(ran: &Ran) {
    ran.assert_passed();
    for stage in ["send", "accept", "land", "queue", "format", "acknowledge", "reply", "return", "follow_up", "clean_up"] {
        assert_eq!(outcome(ran.only(), stage), "pass", "{stage}\n{}", digest(&ran.report));
    }
}

#[test]
fn the_form_of_django_helpdesk_in_chromium() {
    let stack = stack_or_skip!();
    let (customer, lane, word) = ("customer77@customers.test", Lane(16), nonce());
    let site = Site::at(stack, customer, Desk::helpdesk(stack));
    let note = b"Sendung 4711\n";
    site.write("probes/files/notiz.txt", note);
    let way = form(stack.word("HELPDESK_URL"), &word, Some(lane)) + "browser = true\nlimit = \"2m\"\n";
    let mut probe = Probe::by(&way, &lane.queue());
    probe.tables = "[policy]\nthreading = \"wanted\"\n".to_owned();
    site.probe("case", &probe);
    let _turn = turn();
    assert_every_stage_passed(&site.run(&["run", "case"]));
    let tickets = helpdesk::tickets(stack, &word);
    assert_eq!(tickets.len(), 1, "{tickets:#?}");
    assert_eq!(tickets[0].files(stack), [("notiz.txt".to_owned(), note.to_vec())]);
}

const HEAD: &str = "desk = \"sandbox\"\naccount = \"alice\"\nsettle = \"2s\"\nwatch_after = \"1m\"\n";

fn embedded_form(url: &str) -> String {
    format!(
        "{HEAD}[form]\npage = \"{url}/shop/contact\"\nbrowser = true\nlimit = \"2m\"\nframe = \"iframe.form\"\nform = \"contact-form >>> form\"\n\
         subject = \"Größe ${{token}}\"\ntext = \"Passt das? ${{token}}\"\nfields = [{{ type = \"select\", choose = \"Billing\" }}]\n\
         attachments = \"files/note.txt\"\ndwell = \"1s\"\n[expect]\nqueue = \"Billing\"\n"
    )
}

#[test]
fn an_embedded_form_of_javascript_alone_in_chromium() {
    stack_or_skip!();
    let (site, _sandbox, url) = Site::of_sandbox(&[]);
    site.write("probes/files/note.txt", b"Note\n");
    site.write("probes/case.toml", embedded_form(&url).as_bytes());
    let _turn = turn();
    assert_every_stage_passed(&site.run(&["run", "case"]));
}

#[test]
fn an_embedded_form_that_the_browser_may_not_submit_is_named() {
    stack_or_skip!();
    let (site, _sandbox, url) = Site::of_sandbox(&["--fault", "form-cors-refused"]);
    site.write("probes/files/note.txt", b"Note\n");
    site.write("probes/case.toml", embedded_form(&url).as_bytes());
    let _turn = turn();
    let ran = site.run(&["run", "case"]);
    ran.assert_failed("form-cors-refused", &Expected { stage: "accept", accepted: &["form-cors-refused"], unhurt: &["send"] });
    let evidence = ran.only().to_string();
    assert!(evidence.contains("\"screenshot\"") && evidence.contains("\"console\""), "{}", digest(&ran.report));
}

fn bubble(url: &str) -> String {
    let inside = "chat-widget >>> form:not([hidden])";
    format!(
        "{HEAD}[chat]\npage = \"{url}/shop/chat\"\nbrowser = true\nlimit = \"4m\"\ntext = \"Hello, where is my parcel? ${{token}}\"\n\
         hand_over = \"Can I talk to a person?\"\n\
         open = [\n  {{ frame = \"iframe.chat\" }},\n  {{ click = \"chat-widget >>> button.bubble\" }},\n  {{ wait_for = \"{inside} textarea\" }},\n\
         \x20 {{ write = \"${{customer}}\", into = \"{inside} input[name=name]\" }},\n  {{ write = \"${{address}}\", into = \"{inside} input[name=email]\" }},\n]\n\
         say = [\n  {{ write = \"${{line}}\", into = \"{inside} textarea\" }},\n  {{ click = \"{inside} button[type=submit]\" }},\n]\n\
         leave = [{{ click = \"chat-widget >>> button[aria-label='End the chat']\" }}]\n\
         [chat.read]\nframe = \"iframe.chat\"\nline = \"chat-widget >>> li\"\nagent = \"chat-widget >>> li[data-from=agent]\"\n\
         bot = \"chat-widget >>> li:is([data-from=bot], [data-from=system])\"\n[expect]\nqueue = \"Support\"\n[limits]\n\
         send = \"2m\"\n"
    )
}

#[test]
fn an_embedded_chat_bubble_in_chromium() {
    stack_or_skip!();
    let (site, _sandbox, url) = Site::of_sandbox(&[]);
    site.write("probes/case.toml", bubble(&url).as_bytes());
    let _turn = turn();
    assert_every_stage_passed(&site.run(&["run", "case"]));
}

#[test]
fn lines_of_the_agent_that_never_reach_the_bubble_are_named() {
    stack_or_skip!();
    let (site, _sandbox, url) = Site::of_sandbox(&["--fault", "chat-agent-line-invisible"]);
    site.write("probes/case.toml", bubble(&url).as_bytes());
    let _turn = turn();
    site.run(&["run", "case"]).assert_failed(
        "chat-agent-line-invisible",
        &Expected {
            stage: "return",
            accepted: &["chat-agent-line-invisible", "chat-connected-no-fanout"],
            unhurt: &["send", "accept", "land", "queue", "reply"],
        },
    );
}
