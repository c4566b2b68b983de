//! Recipes against scripted servers: what is sent, what a failure says, and that nothing is sent twice.

use super::RecipeForms;
use crate::config::ParamValue;
use crate::desk::testing::{Answer, Asked, SECRET, Server, desk, say, settings};
use crate::desk::{DeskSet, built_in};
use crate::engine::ways::{Customer, FormOrder, Forms, Stop, Thanks};
use crate::model::{FieldBy, Fill, FormBy, FormChannel, FormField, Outcome, OutgoingAttachment, ResultClass, RunId, Token};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const SHOP: &str = "http://shop.example";
const FIELDS: &str = r#"[{"name":"f1","label":"Your name","type":"text","required":true},
    {"name":"f2","label":"E-mail","type":"email","required":true},
    {"name":"f3","label":"What is it about?","type":"select","options":[{"value":"b","label":"Billing and invoices"},{"value":"s","label":"Support"}]},
    {"name":"f4","label":"Subject","type":"text","required":true},{"name":"f5","label":"Message","type":"textarea","required":true},
    {"name":"f6","label":"Attachment","type":"file","required":true}]"#;

fn sandbox() -> &'static str {
    built_in().iter().find(|(id, _)| *id == "sandbox").unwrap().1
}

fn forms(server: &Server, text: &str) -> RecipeForms {
    // Says what is wrong with the text, if anything.
    let _ = desk(&server.url, text);
    RecipeForms::new(Arc::new(DeskSet::new(&BTreeMap::from([("helpdesk".to_owned(), settings(&server.url, text))])).unwrap()))
}

fn order() -> FormOrder {
    FormOrder {
        run: RunId("run1".to_owned()),
        probe: "contact".to_owned(),
        desk: Some("helpdesk".to_owned()),
        customer: Customer { address: "alice@mail.example".to_owned(), name: "Alice Ånd".to_owned() },
        form: FormChannel {
            page: Some(format!("{SHOP}/contact?x=1#top")),
            by: FormBy::Recipe("form".to_owned()),
            subject: "Parcel rpabc".to_owned(),
            text: "Where is it? rpabc".to_owned(),
            fields: vec![FormField { by: FieldBy::Label("about".to_owned()), fill: Fill::Choose("billing".to_owned()) }],
            attachments: vec![OutgoingAttachment {
                name: "n.txt".to_owned(),
                content_type: "text/plain".to_owned(),
                bytes: b"hi".to_vec(),
            }],
            attachments_in: None,
            form: None,
            submit: None,
            thanks: None,
            number: None,
            dwell: Duration::ZERO,
        },
        token: Token("rpabc".to_owned()),
    }
}

fn allowed(status: u16, body: &str) -> Answer {
    let headers = vec![
        ("access-control-allow-origin", SHOP.to_owned()),
        ("access-control-allow-methods", "POST, GET".to_owned()),
        ("access-control-allow-headers", "Content-Type".to_owned()),
    ];
    Answer::Say(status, headers, body.as_bytes().to_vec())
}

fn config(asked: &Asked) -> String {
    let host = asked.header("host").unwrap();
    format!(r#"{{"enabled":true,"token":"tok-en-1234","fields":{FIELDS},"endpoint":"http://{host}/form/submit"}}"#)
}

/// A form as it should be, but for what `other` answers.
fn healthy(other: impl Fn(&Asked) -> Option<Answer>) -> impl Fn(&Asked, usize) -> Answer {
    move |asked, _| match other(asked) {
        Some(answer) => answer,
        None if asked.method == "OPTIONS" => allowed(204, ""),
        None if asked.target == "/form/config" => allowed(200, &config(asked)),
        None => allowed(200, r#"{"ticket":{"number":"SB-7"}}"#),
    }
}

/// The whole way. The stop says at which end: filling in or submitting.
async fn whole(forms: &RecipeForms, order: &FormOrder) -> Result<Thanks, (&'static str, Stop)> {
    let filled = forms.fill_in(order).await.map_err(|stop| ("fill_in", stop))?;
    filled.submit().await.map_err(|stop| ("submit", stop))
}

async fn stopped(other: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> (&'static str, Stop, Vec<Asked>) {
    let server = Server::start(healthy(other)).await;
    let (end, stop) = whole(&forms(&server, sandbox()), &order()).await.unwrap_err();
    (end, stop, server.asked())
}

fn posts(asked: &[Asked]) -> usize {
    asked.iter().filter(|a| a.method == "POST").count()
}

#[tokio::test]
async fn the_form_is_filled_in_by_what_the_desk_says_of_it_and_sent_once_as_a_browser_on_the_page_would() {
    let server = Server::start(healthy(|_| None)).await;
    let forms = forms(&server, sandbox());
    let filled = forms.fill_in(&order()).await.unwrap();
    assert_eq!(posts(&server.asked()), 0, "filling in changes nothing");
    let print = filled.seen().print.clone().unwrap();
    assert_eq!(print.fields[1..3], ["E-mail (email)*", "What is it about? (select: Billing and invoices | Support)"]);
    assert_eq!(print.hidden, ["endpoint", "token"]);
    assert_eq!(print.target, format!("POST {}/form/submit (application/json)", server.url));
    let thanks = filled.submit().await.unwrap();
    assert_eq!((thanks.number.as_deref(), thanks.text.as_str()), (Some("SB-7"), "the desk took it as SB-7"));
    assert_eq!((&thanks.seen.facts["status"], thanks.seen.facts.contains_key("page_ms")), (&200.into(), true));
    let asked = server.asked();
    let calls: Vec<String> = asked.iter().map(|a| format!("{} {}", a.method, a.target)).collect();
    assert_eq!(calls, ["GET /form/config", "OPTIONS /form/submit", "POST /form/submit"]);
    for one in &asked {
        assert_eq!((one.header("origin").as_deref(), one.header("referer").as_deref()), (Some(SHOP), Some("http://shop.example/")).clone());
        assert!(!one.head.contains(SECRET) && one.header("authorization").is_none(), "customers have no credentials: {}", one.head);
    }
    assert_eq!(asked[1].header("access-control-request-headers").as_deref(), Some("content-type"));
    let sent: serde_json::Value = serde_json::from_str(&asked[2].body).unwrap();
    let fields =
        serde_json::json!({ "f1": "Alice Ånd", "f2": "alice@mail.example", "f3": "b", "f4": "Parcel rpabc", "f5": "Where is it? rpabc" });
    assert_eq!((&sent["fields"], &sent["token"]), (&fields, &"tok-en-1234".into()));
    assert_eq!(sent["files"], serde_json::json!([{ "name": "n.txt", "type": "text/plain", "data": "aGk=" }]));
}

#[tokio::test]
async fn what_is_dropped_before_it_is_submitted_was_never_sent() {
    let server = Server::start(healthy(|_| None)).await;
    drop(forms(&server, sandbox()).fill_in(&order()).await.unwrap());
    assert_eq!(posts(&server.asked()), 0);
}

#[tokio::test]
async fn errors_inside_a_success_are_named_with_their_fields() {
    let (end, stop, asked) =
        stopped(|a| (a.method == "POST").then(|| allowed(200, r#"{"errors":{"f2":"invalid tok-en-1234","f4":["too short","no"]}}"#))).await;
    assert_eq!((end, stop.outcome, stop.faults[0], stop.class), ("submit", Outcome::Fail, "form-contract-changed", ResultClass::Denied));
    assert!(stop.found.contains("rejected what was written (`rejected`: f2: invalid ***; f4: too short, no)"), "{}", stop.found);
    assert!(stop.no_effect && !stop.passing);
    assert_eq!(posts(&asked), 1, "never sent again");
}

#[tokio::test]
async fn what_a_browser_would_not_send_is_not_sent() {
    // What the preflight answers, and a piece of what is said.
    type Answers = fn() -> Answer;
    let cases: [(Answers, &str); 5] = [
        (|| say(204, ""), "without Access-Control-Allow-Origin for http://shop.example"),
        (|| say(404, "no"), "answered 404, so a browser on http://shop.example sends nothing"),
        (
            || Answer::Say(204, vec![("access-control-allow-origin", "https://other.example".to_owned())], vec![]),
            "`https://other.example` instead of",
        ),
        (
            || Answer::Say(204, vec![("access-control-allow-origin", "*".to_owned())], vec![]),
            "without content-type in Access-Control-Allow-Headers",
        ),
        (|| Answer::Say(302, vec![("location", "/x".to_owned())], vec![]), "answered 302"),
    ];
    for (answer, said) in cases {
        let (end, stop, asked) = stopped(move |a| (a.method == "OPTIONS").then(answer)).await;
        assert_eq!((end, stop.outcome, stop.faults[0], stop.no_effect), ("submit", Outcome::Fail, "form-cors-refused", true), "{said}");
        assert!(stop.found.contains(said), "{}", stop.found);
        assert_eq!(posts(&asked), 0, "{said}");
    }
}

#[tokio::test]
async fn an_answer_that_the_page_may_not_see_fails_but_may_have_been_taken() {
    let (end, stop, _) = stopped(|a| (a.method == "POST").then(|| say(200, r#"{"ticket":{"number":"SB-7"}}"#))).await;
    assert_eq!((end, stop.outcome, stop.faults[0], stop.no_effect), ("submit", Outcome::Fail, "form-cors-refused", false));
    let (end, stop, _) = stopped(|a| (a.method == "POST").then(|| say(500, "oops"))).await;
    assert_eq!((end, stop.faults, stop.no_effect), ("submit", vec!["form-cors-refused", "form-submit-500"], false));
    let (end, stop, _) = stopped(|a| (a.target == "/form/config").then(|| say(200, &config(a)))).await;
    assert_eq!((end, stop.outcome, stop.faults[0], stop.no_effect), ("fill_in", Outcome::Fail, "form-cors-refused", true));
}

#[tokio::test]
async fn on_its_own_pages_a_form_needs_no_permission() {
    let server = Server::start(|a, _| match a.target.as_str() {
        "/form/config" => say(200, &config(a)),
        _ => say(200, r#"{"ticket":{"number":"SB-7"}}"#),
    })
    .await;
    let mut order = order();
    order.form.page = Some(format!("{}/contact#a", server.url));
    assert!(whole(&forms(&server, sandbox()), &order).await.is_ok());
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!((asked[0].header("origin"), asked[0].header("referer")), (None, Some(format!("{}/contact", server.url))));
    assert_eq!(asked[1].header("origin"), Some(server.url.clone()));
    order.form.page = None;
    assert!(whole(&forms(&server, sandbox()), &order).await.is_ok());
    assert_eq!(server.asked()[3].header("origin"), None);
}

#[tokio::test]
async fn each_failure_says_whether_customers_meet_it_and_whether_anything_was_done() {
    type Case = (&'static str, u16, &'static str, &'static str, Outcome, &'static str, bool);
    // At which call, the answer, then: end, outcome, fault, certainly not done.
    let cases: [Case; 14] = [
        ("/form/config", 401, "{}", "fill_in", Outcome::Fail, "form-does-not-load", true),
        ("/form/config", 500, "oops", "fill_in", Outcome::Fail, "form-does-not-load", true),
        ("/form/config", 200, "<html><title>Gone</title>", "fill_in", Outcome::Fail, "form-does-not-load", true),
        ("/form/config", 200, r#"{"enabled":true,"fields":[]}"#, "fill_in", Outcome::Fail, "form-does-not-load", true),
        ("/form/config", 200, r#"{"enabled":false}"#, "fill_in", Outcome::Fail, "form-does-not-load", true),
        ("/form/config", 429, "", "fill_in", Outcome::Unknown, "form-throttled", true),
        ("/form/config", 200, "<html><input type=password>", "fill_in", Outcome::Unknown, "form-login-wall", true),
        ("/form/submit", 401, "{}", "submit", Outcome::Fail, "form-contract-changed", true),
        ("/form/submit", 422, "{}", "submit", Outcome::Fail, "form-contract-changed", true),
        ("/form/submit", 500, "oops", "submit", Outcome::Fail, "form-submit-500", false),
        ("/form/submit", 403, "{}", "submit", Outcome::Unknown, "form-bot-protection", true),
        ("/form/submit", 413, "{}", "submit", Outcome::Fail, "form-submit-refused", true),
        ("/form/submit", 200, "{}", "submit", Outcome::Fail, "form-thanks-missing", false),
        ("/form/submit", 200, r#"{"errors":{"captcha":"expired-input-response"}}"#, "submit", Outcome::Fail, "form-captcha-expired", true),
    ];
    for (target, status, body, end, outcome, fault, no_effect) in cases {
        let (ended, stop, asked) = stopped(move |a| (a.target == target && a.method != "OPTIONS").then(|| allowed(status, body))).await;
        assert_eq!(
            (ended, stop.outcome, stop.faults[0], stop.no_effect),
            (end, outcome, fault, no_effect),
            "{target} {status} {body}: {stop}"
        );
        assert!(stop.found.starts_with("desk `helpdesk`, recipe form: "), "{stop}");
        assert!(posts(&asked) <= 1);
    }
}

#[tokio::test]
async fn silence_and_a_cut_line_leave_it_open_whether_the_request_was_taken() {
    let (end, stop, asked) = stopped(|a| (a.method == "POST").then_some(Answer::Cut)).await;
    assert_eq!((end, stop.outcome, stop.no_effect, stop.passing), ("submit", Outcome::Unknown, false, false));
    assert_eq!(posts(&asked), 1, "never sent again");
    let (end, stop, _) = stopped(|a| (a.method == "OPTIONS").then_some(Answer::Cut)).await;
    assert_eq!((end, stop.faults[0], stop.no_effect, stop.passing), ("submit", "form-submit-refused", true, true));
    let server = Server::start(healthy(|_| None)).await;
    let mut nobody = settings("http://127.0.0.1:9", sandbox());
    nobody.timeout = Duration::from_secs(10);
    drop(server);
    let forms = RecipeForms::new(Arc::new(DeskSet::new(&BTreeMap::from([("helpdesk".to_owned(), nobody)])).unwrap()));
    let (end, stop) = whole(&forms, &order()).await.unwrap_err();
    assert_eq!((end, stop.outcome, stop.no_effect, stop.passing), ("fill_in", Outcome::Unknown, true, true));
}

#[tokio::test]
async fn a_form_that_asks_for_more_or_has_less_is_said_before_anything_is_sent() {
    let consent = FIELDS.replacen('[', r#"[{"name":"c","label":"Consent","type":"checkbox","required":true},"#, 1);
    let (end, stop, asked) =
        stopped(move |a| (a.target == "/form/config").then(|| allowed(200, &config(a).replace(FIELDS, &consent)))).await;
    assert_eq!((end, stop.outcome, stop.faults[0]), ("fill_in", Outcome::Unknown, "form-probe-incomplete"));
    assert!(stop.found.contains("asks for Consent (checkbox)*"), "{stop}");
    assert!(stop.seen.print.unwrap().fields[0].starts_with("Consent"), "compared with the last good run");
    assert_eq!(posts(&asked), 0);
    let (_, stop, _) = stopped(|a| (a.target == "/form/config").then(|| allowed(200, &config(a).replace("about", "topic")))).await;
    assert!(stop.found.contains("no field with the label `about`"), "{stop}");
    let (_, stop, _) = stopped(|a| (a.target == "/form/config").then(|| allowed(200, &config(a).replace("Billing", "Money")))).await;
    assert!(stop.found.contains("no option `billing` in What is it about?"), "{stop}");
}

#[tokio::test]
async fn a_form_sent_to_another_host_goes_nowhere() {
    let stranger = Server::start(|_, _| allowed(200, r#"{"ticket":{"number":"1"}}"#)).await;
    let url = stranger.url.clone();
    let (end, stop, _) = stopped(move |a| {
        let host = a.header("host").unwrap();
        (a.target == "/form/config").then(|| allowed(200, &config(a).replace(&format!("http://{host}"), &url)))
    })
    .await;
    assert_eq!((end, stop.outcome, stop.no_effect), ("submit", Outcome::Unknown, true));
    assert!(stop.found.contains("not among the desk's hosts; nothing was sent there"), "{stop}");
    assert!(stranger.asked().is_empty());
}

#[tokio::test]
async fn answers_without_end_are_cut_off() {
    let (end, stop, _) = stopped(|a| (a.target == "/form/config").then(|| allowed(200, &" ".repeat(17 * 1024 * 1024)))).await;
    assert_eq!((end, stop.no_effect), ("fill_in", true));
    assert!(stop.found.contains("larger than 16 MiB"), "{stop}");
    let many: Vec<String> = (0..201).map(|i| format!(r#"{{"name":"f{i}"}}"#)).collect();
    let many = format!("[{}]", many.join(","));
    let (_, stop, _) = stopped(move |a| (a.target == "/form/config").then(|| allowed(200, &config(a).replace(FIELDS, &many)))).await;
    assert!(stop.found.contains("201 fields"), "{stop}");
}

#[tokio::test]
async fn the_doctor_looks_and_sends_nothing() {
    let server = Server::start(healthy(|_| None)).await;
    let text = sandbox().replacen(
        "cors   = true\n",
        "cors = true\nneeds = [\"mx(${customer.email})\"]\nlimit = { count = 5, per = \"1h\", scope = \"ip\" }\n",
        1,
    );
    let lines = forms(&server, &text).doctor(&order()).await.unwrap();
    assert!(lines[0].starts_with("the recipe is ready: POST http://127.0.0.1:"), "{lines:?}");
    assert_eq!(lines[1], "the desk looks for an MX record of mail.example before it takes the form");
    assert_eq!(lines[2], "the desk takes 5 in 1h for each network address");
    assert_eq!(lines.len(), 9);
    assert_eq!(posts(&server.asked()), 0);
    let mut order = order();
    order.form.by = FormBy::Recipe("fom".to_owned());
    let stop = forms(&server, &text).doctor(&order).await.unwrap_err();
    assert_eq!((stop.outcome, stop.advice.as_deref()), (Outcome::Unknown, Some("its recipes: form")));
}

fn built(id: &str, recipe: &str, more: &[(&str, &str)], server: &Server) -> (RecipeForms, FormOrder) {
    let text = built_in().iter().find(|(i, _)| *i == id).unwrap().1;
    let mut settings = settings(&server.url, text);
    settings.params.remove("key");
    for (name, value) in more {
        let value = match value.parse() {
            Ok(number) => toml::Value::Integer(number),
            Err(_) => toml::Value::String((*value).to_owned()),
        };
        settings.params.insert((*name).to_owned(), ParamValue::Plain(value));
    }
    let forms = RecipeForms::new(Arc::new(DeskSet::new(&BTreeMap::from([("helpdesk".to_owned(), settings)])).unwrap()));
    let mut order = order();
    order.form.by = FormBy::Recipe(recipe.to_owned());
    (forms, order)
}

#[tokio::test]
async fn the_recipe_of_zammad_reads_its_form_sends_its_files_and_tells_an_mx_check_from_a_refusal() {
    for (answer, fault) in [
        (r#"{"ticket":{"id":7,"number":"31007"}}"#, None),
        (r#"{"errors":{"email":"invalid"}}"#, Some(("form-sender-refused", Outcome::Unknown))),
        (r#"{"errors":{"title":"required"}}"#, Some(("form-contract-changed", Outcome::Fail))),
    ] {
        let server = Server::start(move |asked, _| match asked.target.as_str() {
            "/api/v1/form_config" => {
                let endpoint = format!("http://{}/api/v1/form_submit", asked.header("host").unwrap());
                allowed(200, &format!(r#"{{"enabled":true,"endpoint":"{endpoint}","token":"form-token-99"}}"#))
            }
            _ => allowed(200, answer),
        })
        .await;
        let (forms, order) = built("zammad", "web-form", &[("token", "t-o-k-e-n")], &server);
        let ended = whole(&forms, &order).await;
        let asked = server.asked();
        // Forms as browsers send them need no question before.
        assert_eq!(asked.iter().map(|a| a.method.as_str()).collect::<Vec<_>>(), ["POST", "POST"]);
        let print = asked[0].body.strip_prefix("fingerprint=").unwrap();
        assert!(print.len() > 30 && asked[1].body.contains(&format!("name=\"fingerprint\"\r\n\r\n{print}\r\n")), "{}", asked[1].body);
        for part in [
            "name=\"token\"\r\n\r\nform-token-99\r\n",
            "name=\"email\"\r\n\r\nalice@mail.example\r\n",
            "name=\"file[]\"; filename=\"n.txt\"\r\nContent-Type: text/plain\r\n\r\nhi\r\n",
        ] {
            assert!(asked[1].body.contains(part), "{part} in {}", asked[1].body);
        }
        match (ended, fault) {
            (Ok(thanks), None) => assert_eq!(thanks.number.as_deref(), Some("31007")),
            (Err((end, stop)), Some((fault, outcome))) => {
                assert_eq!((end, stop.faults[0], stop.outcome, stop.no_effect), ("submit", fault, outcome, true), "{stop}");
            }
            (ended, _) => panic!("{ended:?}"),
        }
    }
}

#[tokio::test]
async fn the_recipes_of_chatwoot_are_a_visitor_of_the_widget_or_a_contact_of_an_inbox() {
    let server = Server::start(|asked, _| match asked.target.split('?').next().unwrap() {
        "/widget" => say(200, "<html><script>window.authToken = 'visitor-jwt-1'; window.x = 'y'</script>"),
        "/public/api/v1/inboxes/INBOX/contacts" => say(200, r#"{"source_id":"src-1"}"#),
        _ => say(200, r#"{"id":12,"echo":"visitor-jwt-1"}"#),
    })
    .await;
    let base = [("account", "1"), ("access_token", "agent-token")];
    let (forms, order) = built("chatwoot", "widget", &[base[0], base[1], ("website_token", "WT")], &server);
    let thanks = whole(&forms, &order).await.unwrap();
    assert_eq!((thanks.number.as_deref(), thanks.seen.raw.as_deref()), (Some("12"), Some(r#"{"echo":"***","id":12}"#)));
    let asked = server.asked();
    assert_eq!((asked[0].target.as_str(), asked[1].header("x-auth-token").as_deref()), ("/widget?website_token=WT", Some("visitor-jwt-1")));
    assert!(asked.iter().all(|a| a.header("api_access_token").is_none()), "customers have no credentials");

    let (forms, order) = built("chatwoot", "api", &[base[0], base[1], ("inbox_key", "INBOX"), ("hmac_key", "k3y!")], &server);
    assert_eq!(whole(&forms, &order).await.unwrap().number.as_deref(), Some("12"));
    let asked = &server.asked()[2..];
    let contact: serde_json::Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!((&contact["identifier"], contact["identifier_hash"].as_str().unwrap().len()), (&"alice@mail.example".into(), 64));
    assert_eq!(asked[2].target, "/public/api/v1/inboxes/INBOX/contacts/src-1/conversations/12/messages");
    assert!(asked[2].body.contains("name=\"attachments[]\"; filename=\"n.txt\""), "{}", asked[2].body);
    let (forms, order) = built("chatwoot", "api", &[base[0], base[1]], &server);
    let (end, stop) = whole(&forms, &order).await.unwrap_err();
    assert_eq!((end, stop.outcome, stop.no_effect), ("submit", Outcome::Unknown, true), "{stop}");
}
