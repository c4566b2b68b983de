//! What follows a submission: redirects, thanks, refusals, and what is said of an act that nobody can be sure of.

use crate::server::*;
use replypath::engine::ways::{FormOrder, Stop, Thanks};
use replypath::model::{Outcome, ResultClass};
use std::time::Duration;

/// Submits a contact form that the server answers in this way.
async fn answered(reply: Vec<u8>, change: impl FnOnce(&mut FormOrder)) -> Result<Thanks, Stop> {
    let server = site(contact("<p>Fields with * are required. Thank you for writing!</p>"), reply).await;
    let mut order = order(server.url("/contact"));
    change(&mut order);
    send(&order).await
}

async fn refused(reply: Vec<u8>) -> Stop {
    answered(reply, |_| {}).await.unwrap_err()
}

#[tokio::test]
async fn redirects_after_the_submission_are_followed_as_browsers_do() {
    for (status, method) in [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")] {
        let server = Server::new(move |got| match got.path.as_str() {
            "/send" => answer(&format!("{status} Moved"), "Location: done/here?no=77\r\nSet-Cookie: seen=1\r\n", ""),
            "/done/here?no=77" => html("<p>Thanks, all is well.</p>"),
            _ => html(contact("")),
        })
        .await;
        let mut order = order(server.url("/"));
        order.form.number = Some(r"[?&]no=(\d+)".to_owned());
        assert_eq!(send(&order).await.unwrap().number.as_deref(), Some("77"), "{status}");
        let got = server.got();
        let (sent, last) = (&got[1], &got[2]);
        assert_eq!((got.len(), last.method.as_str(), last.header("cookie")), (3, method, Some("seen=1")), "{status}");
        let same = if method == "POST" { sent.body.clone() } else { Vec::new() };
        assert_eq!(last.body, same, "{status}");
        assert_eq!(last.header("origin").is_some(), method == "POST", "{status}");
    }
}

#[tokio::test]
async fn cookies_passwords_and_referrers_stay_home_when_the_form_goes_elsewhere() {
    let away = site("", html("<p>Thank you</p>")).await;
    // Another name of the same machine is another host.
    let target = format!("http://localhost:{}/collect?x=1", away.port);
    let page = contact_to(&target, "");
    let home = Server::new(move |_| answer("200 OK", "Content-Type: text/html\r\nSet-Cookie: session=secret; Path=/\r\n", &page)).await;
    let mut order = order(format!("http://ada:p%40ss@127.0.0.1:{}/contact?key=private", home.port));
    order.form.number = Some("(x=1)".to_owned());
    let thanks = send(&order).await.unwrap();
    assert_eq!(home.got()[0].header("authorization"), Some("Basic YWRhOnBAc3M="));
    let post = &away.posts()[0];
    assert_eq!((post.header("cookie"), post.header("authorization")), (None, None));
    assert_eq!(post.header("origin"), Some(home.url("").as_str()));
    assert_eq!(post.header("referer"), Some(home.url("/").as_str()));
    assert_eq!(post.header("sec-fetch-site"), Some("cross-site"));
    let elsewhere = format!("http://localhost:{}/collect", away.port);
    assert_eq!(thanks.seen.facts["submitted_elsewhere"], elsewhere);
    assert_eq!(thanks.seen.print.unwrap().target, format!("POST {elsewhere} (application/x-www-form-urlencoded)"));
    for value in thanks.seen.facts.values() {
        assert!(!value.to_string().contains("private") && !value.to_string().contains("p%40ss"), "{value}");
    }
}

#[tokio::test]
async fn a_submission_sent_on_to_another_host_names_no_origin_and_takes_no_cookie() {
    let away = site("", html("<p>Thank you</p>")).await;
    let target = format!("http://localhost:{}/in", away.port);
    let home = Server::new(move |got| match got.method.as_str() {
        "POST" => answer("307 Elsewhere", &format!("Location: {target}\r\n"), ""),
        _ => answer("200 OK", "Content-Type: text/html\r\nSet-Cookie: session=secret\r\n", contact("")),
    })
    .await;
    send(&order(home.url("/"))).await.unwrap();
    assert_eq!(home.posts()[0].header("cookie"), Some("session=secret"));
    let post = &away.posts()[0];
    assert_eq!((post.header("origin"), post.header("cookie")), (Some("null"), None));
    assert_eq!(post.body, home.posts()[0].body);
}

#[tokio::test]
async fn thanks_are_read_in_many_words_and_kinds() {
    for words in [
        "<h1>Thank you, Ada!</h1>",
        "<div role=alert class='alert alert-success'>Your message has been sent.</div>",
        "<p>Wir haben Ihre Nachricht erhalten. Vielen Dank!</p>",
        "<p>Merci, votre message a bien été envoyé</p>",
        "<p>We will get back to you</p>",
        // Buttons and templates of errors, and words of errors, make no error of a page of thanks.
        "<p>Thank you.</p><a class='btn btn-danger' href=/x>Withdraw</a><p class='hint error'>Something went wrong.</p>",
        "<p>Thanks! If there was an error in your address, please try again.</p>",
    ] {
        answered(html(words), |_| {}).await.unwrap_or_else(|stop| panic!("{words}: {stop}"));
    }
    let json = answer("200 OK", "Content-Type: application/json\r\n", r#"{"message":"Thank you","ticket":"A-5"}"#);
    let thanks = answered(json, |order| order.form.number = Some(r#""ticket":"([^"]+)""#.to_owned())).await.unwrap();
    assert_eq!(thanks.number.as_deref(), Some("A-5"));
    // A thank-you that repeats the request is not judged by the customer's own words.
    let echo = format!("<p>Thank you.</p><p>You wrote:</p><p>There was an error {TOKEN}</p>");
    let said = |order: &mut FormOrder| order.form.text = format!("There was an error {TOKEN}");
    answered(html(format!("{echo}{}", contact(""))), said).await.unwrap();
}

#[tokio::test]
async fn the_words_that_a_probe_expects_decide() {
    let expects = |words: &'static str| move |order: &mut FormOrder| order.form.thanks = Some(words.to_owned());
    answered(html("<p>Ticket  <b>opened</b>.</p>"), expects("ticket opened")).await.unwrap();
    let stop = answered(html("<p>Thank you!</p>"), expects("ticket opened")).await.unwrap_err();
    assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (Outcome::Fail, "form-thanks-missing", false));
    assert!(stop.found.contains("“ticket opened”") && stop.found.contains("“Thank you!”"), "{}", stop.found);
    // What stood on the form's page already is no thanks when the form is there again.
    let again = contact("<p>Fields with * are required. Thank you for writing!</p>");
    assert!(answered(html(again), expects("Thank you for writing")).await.is_err());
}

#[tokio::test]
async fn an_answer_without_a_word_proves_nothing() {
    let silent = [
        html("<h1>Home</h1><p>Buy our things.</p>"),
        html("<p>Thanks, but your message could not be sent</p>"),
        html(contact("<p>Fields with * are required. Thank you for writing!</p>")),
        answer("204 No Content", "", ""),
        answer("200 OK", "Content-Type: text/html\r\n", ""),
        answer("302 Found", "", ""),
    ];
    for reply in silent {
        let shown = String::from_utf8_lossy(&reply).into_owned();
        let stop = refused(reply).await;
        assert_eq!(stop.faults[0], "form-thanks-missing", "{shown}");
        assert!(!stop.no_effect && stop.outcome != Outcome::Pass, "{shown}");
    }
    let stop = refused(html("<h1>Home</h1>")).await;
    assert_eq!(stop.outcome, Outcome::Unknown);
    assert!(stop.advice.unwrap().contains("`thanks`"));
}

#[tokio::test]
async fn a_form_that_comes_back_with_errors_was_refused() {
    let again = |error: &str| contact(&format!("<p>Fields with * are required. Thank you for writing!</p>{error}"));
    for error in [
        "<ul class=errorlist><li>Too long for our taste.</ul>",
        "<p class='field-error'>Too long for our taste.</p>",
        "<div class=invalid-feedback>Too long for our taste.</div>",
        "<div role=alert>Too long for our taste.</div>",
        "<span class=wpcf7-not-valid-tip aria-hidden=true>Too long for our taste.</span>",
        "<div class='alert alert-danger'>Too long for our taste. Thank you.</div><p>Thanks</p>",
    ] {
        let stop = refused(html(again(error))).await;
        assert_eq!(
            (stop.outcome, stop.faults.as_slice(), stop.no_effect),
            (Outcome::Fail, ["form-submit-refused"].as_slice(), true),
            "{error}"
        );
        assert!(stop.found.contains("Too long for our taste."), "{}", stop.found);
    }
    let told = again("<p class=wrong id=e1>Too long for our taste.</p>")
        .replace("<textarea name", "<textarea aria-invalid=true aria-describedby=e1 name");
    assert_eq!(refused(html(told)).await.found, "the form was refused: “Message: Too long for our taste.”");
    let marked = again("").replace("<textarea name=message", "<textarea aria-invalid=true name=message");
    let stop = refused(html(marked)).await;
    assert!(stop.found.contains("`Message` is marked as wrong"), "{}", stop.found);
    // An error that nobody sees is none.
    let unseen = again("<p class=error style='display:none'>Too long.</p>");
    assert_eq!(refused(html(unseen)).await.outcome, Outcome::Unknown);
}

#[tokio::test]
async fn the_words_of_a_refusal_name_its_cause() {
    for (words, outcome, fault) in [
        ("The captcha has expired. Please try again.", Outcome::Fail, "form-captcha-expired"),
        ("reCAPTCHA error: timeout-or-duplicate", Outcome::Fail, "form-captcha-expired"),
        ("Please complete the captcha.", Outcome::Unknown, "form-captcha"),
        ("Your session has expired, please reload", Outcome::Fail, "form-contract-changed"),
        ("The CSRF token is invalid", Outcome::Fail, "form-contract-changed"),
        ("The domain customers.example has no MX record.", Outcome::Unknown, "form-sender-refused"),
        ("Please enter a valid e-mail address", Outcome::Unknown, "form-sender-refused"),
        ("Disposable addresses are not welcome", Outcome::Unknown, "form-sender-refused"),
        ("Your message was classified as spam.", Outcome::Unknown, "mon-desk-blocks-probe"),
        ("Too many requests from your address", Outcome::Unknown, "form-throttled"),
        ("Consent: This field is required.", Outcome::Fail, "form-contract-changed"),
        ("The moon is in the wrong phase", Outcome::Fail, "form-submit-refused"),
    ] {
        let stop = refused(html(contact(&format!("<p class=error>{words}</p>")))).await;
        assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (outcome, fault, true), "{words}: {stop:?}");
        assert!(stop.found.contains(words) && (outcome == Outcome::Fail || stop.advice.is_some()), "{words}: {stop:?}");
    }
    // A field that the probe left empty may be what is asked for.
    let page = contact("<label>Phone <input name=phone></label>");
    let errors = page.replace("<label>Phone", "<p class=error>This field is required.</p><label>Phone");
    let server = site(page, html(errors)).await;
    let stop = send(&order(server.url("/"))).await.unwrap_err();
    assert_eq!((stop.outcome, stop.faults[0]), (Outcome::Unknown, "form-probe-incomplete"));
    assert!(stop.advice.unwrap().contains("`Phone`"));
}

#[tokio::test]
async fn the_status_of_the_answer_says_whether_it_had_an_effect() {
    let page = |status: &str, body: &str| answer(status, "Content-Type: text/html\r\n", body);
    for (reply, outcome, fault, class, no_effect) in [
        (page("500 Oops", "<h1>Sorry</h1>"), Outcome::Fail, "form-submit-500", ResultClass::Unavailable, false),
        (page("502 Bad Gateway", ""), Outcome::Fail, "form-submit-500", ResultClass::Unavailable, false),
        (page("401 Unauthorized", "Token missing"), Outcome::Fail, "form-contract-changed", ResultClass::BrokenContract, true),
        (page("422 Nope", "<p>unexpected field</p>"), Outcome::Fail, "form-contract-changed", ResultClass::BrokenContract, true),
        (page("419 Page Expired", "<p>Page Expired</p>"), Outcome::Fail, "form-contract-changed", ResultClass::BrokenContract, true),
        (page("403 Forbidden", "<h1>Forbidden</h1>"), Outcome::Unknown, "form-bot-protection", ResultClass::Denied, true),
        (page("404 Not Found", ""), Outcome::Fail, "form-submit-refused", ResultClass::BrokenContract, true),
        (page("413 Too Large", ""), Outcome::Fail, "form-submit-refused", ResultClass::BrokenContract, true),
        (page("422 Nope", "<p class=error>The captcha is wrong</p>"), Outcome::Unknown, "form-captcha", ResultClass::Denied, true),
    ] {
        let shown = String::from_utf8_lossy(&reply).into_owned();
        let stop = refused(reply).await;
        assert_eq!((stop.outcome, stop.faults[0], stop.class, stop.no_effect), (outcome, fault, class, no_effect), "{shown}");
        assert!(!stop.passing, "{shown}");
        assert!(stop.seen.print.is_some() && stop.seen.facts.contains_key("submit_status"), "{shown}");
    }
    let stop = refused(answer("429 Slow Down", "Retry-After: 120\r\n", "")).await;
    assert_eq!((stop.class, stop.no_effect, stop.passing), (ResultClass::Throttled, true, true));
    assert_eq!(stop.retry_after, Some(Duration::from_secs(120)));
}

#[tokio::test]
async fn a_thank_you_that_fails_after_the_redirect_leaves_doubt() {
    for (last, outcome) in [
        (answer("500 Oops", "Content-Type: text/html\r\n", "x"), Outcome::Fail),
        (answer("404 Not Found", "Content-Type: text/html\r\n", "x"), Outcome::Fail),
        (html("<form method=post><input name=u><input type=password name=p></form>"), Outcome::Unknown),
    ] {
        let server = Server::new(move |got| match got.path.as_str() {
            "/send" => see_other("/thanks"),
            "/thanks" => last.clone(),
            _ => html(contact("")),
        })
        .await;
        let stop = send(&order(server.url("/"))).await.unwrap_err();
        assert_eq!((stop.outcome, stop.no_effect), (outcome, false), "{stop:?}");
        let fault = if outcome == Outcome::Fail { "form-thanks-missing" } else { "form-login-wall" };
        assert_eq!(stop.faults[0], fault);
        assert_eq!(server.posts().len(), 1);
    }
}

#[tokio::test]
async fn a_page_that_forbids_referrers_is_obeyed() {
    for (page, headers) in [
        (format!("<meta name=referrer content=no-referrer>{}", contact("")), "Content-Type: text/html\r\n"),
        (contact(""), "Content-Type: text/html\r\nReferrer-Policy: no-referrer\r\n"),
    ] {
        let server = Server::new(move |got| if got.method == "POST" { html("Thanks") } else { answer("200 OK", headers, &page) }).await;
        send(&order(server.url("/"))).await.unwrap();
        let post = &server.posts()[0];
        assert_eq!((post.header("referer"), post.header("origin")), (None, Some("null")));
    }
}
