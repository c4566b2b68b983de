//! Forms as real products make them, each with the checks that its server makes.

use crate::server::*;
use replypath::engine::ways::Forms;
use replypath::model::{FieldBy, Fill, FormField, Outcome};

const DJANGO: &str = include_str!("pages/django.html");
const OSTICKET: &str = include_str!("pages/osticket.html");
const RAILS: &str = include_str!("pages/rails.html");
const CF7: &str = include_str!("pages/cf7.html");
const PERL: &str = include_str!("pages/perl.html");

/// What Django's CSRF middleware asks of a submission.
fn django(got: &Got) -> Vec<u8> {
    if got.method == "GET" && got.path.starts_with("/tickets/submit/") {
        let cookie = "Content-Type: text/html; charset=utf-8\r\nSet-Cookie: csrftoken=k7Secret; Path=/; SameSite=Lax\r\n";
        return answer("200 OK", cookie, DJANGO);
    }
    if got.path.starts_with("/view/") {
        return html("<h1>Ticket details</h1><p>Ticket ID: support-41</p><p>Thank you, your ticket has been created.</p>");
    }
    let host = got.header("host").unwrap_or_default();
    let origin_ok = got.header("origin") == Some(&format!("http://{host}"));
    let referer_ok = got.header("referer") == Some(&format!("http://{host}/tickets/submit/"));
    let cookie_ok = got.header("cookie").is_some_and(|c| c.contains("csrftoken=k7Secret"));
    let token_ok = got.part("csrfmiddlewaretoken").as_deref() == Some(b"masked-of-k7Secret");
    if !(origin_ok && referer_ok && cookie_ok && token_ok) {
        return answer(
            "403 Forbidden",
            "Content-Type: text/html\r\n",
            "<h1>Forbidden</h1><p>CSRF verification failed. Request aborted.</p>",
        );
    }
    see_other("/view/?ticket=support-41&email=ada%40customers.example&key=k")
}

#[tokio::test]
async fn a_django_form_is_sent_with_token_cookie_origin_and_file() {
    let server = Server::new(django).await;
    let mut order = order(server.url("/tickets/submit/"));
    order.form.fields = vec![label("Queue", choose("Billing"))];
    order.form.attachments = vec![file("log ü.bin", "application/octet-stream", &[0, 255, 10])];
    order.form.number = Some(r"ticket=([a-z]+-\d+)".to_owned());
    let thanks = send(&order).await.unwrap();
    assert_eq!(thanks.number.as_deref(), Some("support-41"));
    assert!(thanks.text.contains("your ticket has been created"), "{}", thanks.text);
    let posts = server.posts();
    assert_eq!(posts.len(), 1);
    let text = |name: &str| String::from_utf8(posts[0].part(name).unwrap()).unwrap();
    assert_eq!((text("queue").as_str(), text("title").as_str()), ("2", "A question rpabcdefghij234567"));
    assert_eq!(text("body"), TEXT.replace('\n', "\r\n"));
    assert_eq!(text("submitter_email"), "ada@customers.example");
    assert_eq!((text("priority").as_str(), text("due_date").as_str()), ("3", ""));
    let file = posts[0].parts().into_iter().find(|(head, _)| head.contains("filename")).unwrap();
    assert!(file.0.contains("name=\"attachment\"; filename=\"log ü.bin\"\r\nContent-Type: application/octet-stream"), "{}", file.0);
    assert_eq!(file.1, [0, 255, 10]);
    let print = thanks.seen.print.unwrap();
    assert_eq!(print.hidden, ["csrfmiddlewaretoken"]);
    assert_eq!(print.fields[0], "Queue (select)* [---------, Support, Billing]");
    assert_eq!(print.target, format!("POST {} (multipart/form-data)", server.url("/tickets/submit/")));
}

#[tokio::test]
async fn a_lost_csrf_token_is_a_contract_that_changed() {
    let page = DJANGO.replace("csrfmiddlewaretoken", "csrf_renamed");
    let server =
        Server::new(move |got| if got.method == "GET" { answer("200 OK", "Content-Type: text/html\r\n", &page) } else { django(got) })
            .await;
    let mut order = order(server.url("/tickets/submit/"));
    order.form.fields = vec![label("Queue", choose("Support"))];
    let stop = send(&order).await.unwrap_err();
    assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (Outcome::Fail, "form-contract-changed", true));
    assert!(stop.found.contains("403") && stop.found.contains("CSRF verification failed"), "{}", stop.found);
}

/// The form of osTicket: field names are drawn at every visit, the token comes from the session.
fn osticket(got: &Got, visit: &str) -> Vec<u8> {
    if got.method == "GET" {
        let page = OSTICKET.replace("{HASH}", visit);
        return answer("200 OK", "Content-Type: text/html; charset=utf-8\r\nSet-Cookie: OSTSESSID=s1; path=/; HttpOnly\r\n", page);
    }
    let part = |name: &str| got.part(name).map(|b| String::from_utf8(b).unwrap());
    assert_eq!(part("__CSRFToken__").as_deref(), Some("0f1e2d3c4b5a69788796a5b4c3d2e1f0aabbccdd"));
    assert_eq!((part("a"), part("draft_id")), (Some("open".into()), Some(String::new())));
    assert_eq!(got.header("cookie"), Some("OSTSESSID=s1"));
    assert_eq!(part("topicId").as_deref(), Some("2"));
    assert_eq!(part(&format!("{visit}a1")).as_deref(), Some("ada@customers.example"));
    assert_eq!(part(&format!("{visit}b2")).as_deref(), Some("Ada Byron"));
    assert_eq!(part(&format!("{visit}c3")).as_deref(), Some(""));
    assert_eq!(part(&format!("{visit}d4")).as_deref(), Some("A question rpabcdefghij234567"));
    assert_eq!(part("message"), Some(TEXT.replace('\n', "\r\n")));
    html("<div id=msg_notice>Support ticket request created</div><p>Ada Byron,</p><p>Thank you for contacting us. Ticket #507312</p>")
}

#[tokio::test]
async fn an_osticket_form_is_filled_by_labels_whatever_its_names() {
    let mut prints = Vec::new();
    for visit in ["9f8c7b6a5d4e", "1a2b3c4d5e6f"] {
        let server = Server::new(move |got| osticket(got, visit)).await;
        let mut order = order(server.url("/open.php"));
        order.form.fields = vec![label("help topic", choose("Report a Problem"))];
        order.form.number = Some(r"Ticket #(\d+)".to_owned());
        let thanks = send(&order).await.unwrap();
        assert_eq!(thanks.number.as_deref(), Some("507312"));
        let mut print = thanks.seen.print.unwrap();
        print.target = print.target.replace(&server.port.to_string(), "PORT");
        prints.push(print);
    }
    assert_eq!(prints[0], prints[1]);
    assert_eq!(prints[0].hidden, ["__CSRFToken__", "a", "draft_id"]);
}

fn rails(got: &Got) -> Vec<u8> {
    if got.method == "GET" {
        return html(RAILS);
    }
    let names: Vec<String> = got.fields().into_iter().map(|(n, _)| n).collect();
    // The hidden zero of each box goes first, and the button's own name last.
    let wanted = [
        "utf8",
        "authenticity_token",
        "request[name]",
        "request[email]",
        "request[topic]",
        "request[body]",
        "request[terms]",
        "request[terms]",
        "request[copy]",
        "commit",
    ];
    assert_eq!(names, wanted);
    assert_eq!(got.field("utf8").as_deref(), Some("✓"));
    assert_eq!(got.field("commit").as_deref(), Some("Send request"));
    if got.field("request[topic]").as_deref() != Some("billing") {
        let errors = "<div id='error_explanation'><ul><li>Topic can't be blank</li></ul></div>";
        return answer("422 Unprocessable Entity", "Content-Type: text/html\r\n", RAILS.replace("<!--errors-->", errors));
    }
    html("<p class=flash-notice>Your request was successfully created.</p><p>Reference: REQ-9</p>")
}

#[tokio::test]
async fn a_rails_form_takes_radio_buttons_and_boxes_by_their_texts() {
    let server = Server::new(rails).await;
    let mut order = order(server.url("/requests/new"));
    order.form.fields = vec![label("Topic", choose("Billing")), label("I accept the terms", Fill::Tick(true))];
    order.form.thanks = Some("Successfully  created".to_owned());
    order.form.number = Some(r"Reference: (\S+)".to_owned());
    assert_eq!(send(&order).await.unwrap().number.as_deref(), Some("REQ-9"));
}

#[tokio::test]
async fn a_box_of_consent_is_never_ticked_unasked() {
    let server = Server::new(rails).await;
    let mut order = order(server.url("/requests/new"));
    order.form.fields = vec![label("Topic", choose("Billing"))];
    let stop = stopped(&order).await;
    assert_eq!((stop.outcome, stop.faults.as_slice()), (Outcome::Unknown, ["form-probe-incomplete", "form-contract-changed"].as_slice()));
    assert_eq!(stop.found, "required field `I accept the terms of use` has no value in the probe");
    assert!(stop.advice.unwrap().contains("[[form.fields]]"));
    assert!(stop.seen.print.unwrap().fields.contains(&"I accept the terms of use (checkbox)*".to_owned()));
    assert!(server.posts().is_empty());
    let lines = forms().doctor(&order).await.unwrap();
    assert!(lines.contains(&"missing: required field `I accept the terms of use` has no value in the probe".to_owned()), "{lines:#?}");
}

#[tokio::test]
async fn an_error_of_validation_is_quoted() {
    let server = Server::new(rails).await;
    let mut order = order(server.url("/requests/new"));
    order.form.fields = vec![label("Topic", choose("Technical")), label("I accept the terms", Fill::Tick(true))];
    let stop = send(&order).await.unwrap_err();
    assert_eq!((stop.outcome, stop.no_effect), (Outcome::Fail, true));
    assert!(stop.found.contains("Topic can't be blank"), "{}", stop.found);
}

fn cf7(got: &Got, outcome: &str, words: &str) -> Vec<u8> {
    if got.method == "GET" {
        return html(CF7);
    }
    assert_eq!(got.path, "/contact/");
    for (name, value) in [("_wpcf7", "123"), ("_wpcf7_unit_tag", "wpcf7-f123-p45-o1"), ("your-website-url", ""), ("honeypot-842", "")] {
        assert_eq!(got.part(name).map(|b| String::from_utf8(b).unwrap()).as_deref(), Some(value), "{name}");
    }
    html(CF7.replace("wpcf7-form init", &format!("wpcf7-form {outcome}")).replace("<!--response-->", words))
}

#[tokio::test]
async fn a_wordpress_form_that_shows_itself_again_with_thanks_was_taken() {
    let server = Server::new(|got| cf7(got, "sent", "Thank you for your message. It has been sent.")).await;
    let thanks = send(&order(server.url("/contact/"))).await.unwrap();
    assert_eq!(thanks.text, "Thank you for your message. It has been sent.");
    let post = &server.posts()[0];
    assert_eq!(post.part("your-name").as_deref(), Some(b"Ada Byron".as_slice()));
    assert!(post.part("your-subject").unwrap().starts_with(b"A question"));
}

#[tokio::test]
async fn a_wordpress_form_that_shows_itself_again_with_an_error_was_not_taken() {
    let words = "There was an error trying to send your message. Please try again later.";
    let server = Server::new(move |got| cf7(got, "failed", words)).await;
    let stop = send(&order(server.url("/contact/"))).await.unwrap_err();
    assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (Outcome::Fail, "form-submit-refused", true));
    assert!(stop.found.contains(words), "{}", stop.found);
}

/// An old script: no labels, a form inside a table, Latin-1, a GET would do too.
fn perl(got: &Got) -> Vec<u8> {
    let latin = |text: &str| -> Vec<u8> { text.chars().map(|c| u8::try_from(c).unwrap()).collect() };
    if got.method == "GET" {
        return answer("200 OK", "Content-Type: text/html; charset=iso-8859-1\r\n", latin(PERL));
    }
    let body = String::from_utf8(got.body.clone()).unwrap();
    assert_eq!(got.path, "/cgi-bin/mail.pl");
    assert_eq!(got.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(
        body.starts_with("recipient=support&realname=Ada+Byron&email=ada%40customers.example&dept=sales&subject=A+question+"),
        "{body}"
    );
    assert!(body.contains("&text=Gr%FC%DFe+%26+%22more%22+%3Cb%3E%0D%0Asecond+line+") && body.ends_with("&go=Abschicken"), "{body}");
    answer("200 OK", "Content-Type: text/html; charset=iso-8859-1\r\n", latin("<HTML><BODY>Vielen Dank für Ihre Nachricht!</BODY></HTML>"))
}

#[tokio::test]
async fn an_old_cgi_form_without_labels_is_filled_by_the_words_beside_its_fields() {
    let server = Server::new(perl).await;
    let mut order = order(server.url("/contact.html"));
    order.form.fields = vec![FormField { by: FieldBy::Label("Abteilung".into()), fill: choose("Verkauf") }];
    let thanks = send(&order).await.unwrap();
    assert_eq!(thanks.text, "Vielen Dank für Ihre Nachricht!");
    assert_eq!(thanks.seen.print.unwrap().fields[0], "Ihr Name (text)");
}
