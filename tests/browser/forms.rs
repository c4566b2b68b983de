//! Forms.

use crate::kit::{field, here, kit, order};
use crate::site::{Answer, Site};
use replypath::engine::ways::Forms;
use replypath::model::{FieldBy, Fill, FormBy, Outcome, OutgoingAttachment};
use std::time::Duration;

const STATIC: &str = r#"<!doctype html><title>Contact</title><h1>Contact</h1>
<form method="post" action="/send" enctype="multipart/form-data"><input type="hidden" name="csrf" value="x1">
<label>Your name <input name="a1" required></label><label>E-mail * <input type="email" name="a2" required></label>
<label>What is it about? <select name="topic" required><option value="">Choose</option><option value="b">Billing and payments</option><option value="o">Orders</option></select></label>
<label>Subject <input name="a3"></label><label>Message<textarea name="a4" required></textarea></label>
<div style="position:absolute;left:-9999px"><label>Website <input name="website"></label></div>
<label><input type="checkbox" name="consent" required> I agree to the rules</label>
<label>File <input type="file" name="file"></label><button>Send</button></form>"#;
const THANKS: &str = "<!doctype html><title>Sent</title><p>Thank you! Your request has been received as number SB-4711.</p>";

#[tokio::test]
async fn a_plain_form_is_filled_in_and_submitted_like_by_a_person() {
    if !here() {
        return;
    }
    let site = Site::start(&[
        ("GET /contact", Answer::Page(STATIC.to_owned())),
        ("POST /send", Answer::Elsewhere("/thanks")),
        ("GET /thanks", Answer::Page(THANKS.to_owned())),
    ])
    .await;
    let kit = kit(1);
    let mut order = order("r1", site.url("/contact"), &[]);
    order.form.fields = vec![
        field(FieldBy::Label("what is it about".into()), Fill::Choose("billing".into())),
        field(FieldBy::Label("agree".into()), Fill::Tick(true)),
    ];
    order.form.number = Some(r"number (\S+)\.".into());
    order.form.attachments =
        vec![OutgoingAttachment { name: "note 1.txt".into(), content_type: "text/plain".into(), bytes: b"attached".to_vec() }];
    let filled = kit.browsers.fill_in(&order).await.expect("a filled form");
    assert!(site.posted().is_empty());
    let print = filled.seen().print.clone().expect("a print");
    assert!(print.fields.iter().any(|f| f == "E-mail (email)*"), "{print:?}");
    assert_eq!(print.hidden, ["csrf"]);
    let thanks = filled.submit().await.expect("thanks");
    assert_eq!(thanks.number.as_deref(), Some("SB-4711"));
    let [(_, body)] = &site.posted()[..] else { panic!("posted {:?}", site.posted()) };
    for part in ["Ada Lovelace", "ada@customers.test", "\r\nb\r\n", order.form.subject.as_str(), "Grüße 😀", "note 1.txt", "attached", "x1"]
    {
        assert!(body.contains(part), "{part} is not in {body}");
    }
    let trap = body.split("name=\"website\"").nth(1).expect("the trap is sent").split("--").next().unwrap_or_default().trim();
    assert_eq!(trap, "", "the trap was filled");
    assert!(thanks.seen.facts.contains_key("usable_ms") && thanks.seen.facts.contains_key("page_ms"), "{:?}", thanks.seen.facts);
}

/// A form that a script builds in a shadow root inside a frame of another site, and sends as JSON.
const EMBEDDED: &str = r#"<!doctype html><div id="host"></div><script>
setTimeout(() => {
  const root = document.getElementById('host').attachShadow({ mode: 'open' });
  root.innerHTML = `<label for="x9">Full name</label><input id="x9"><label for="x8">Your email</label><input id="x8" type="email">
    <label for="x7">Subject</label><input id="x7"><label for="x6">How can we help?</label><textarea id="x6"></textarea>
    <fieldset><legend>Urgency</legend><label><input type="radio" name="u" value="1"> Can wait</label><label><input type="radio" name="u" value="2"> Urgent</label></fieldset>
    <button type="button">Cancel</button><button type="button" id="go">Send request</button><p id="say"></p>`;
  let keys = 0;
  root.getElementById('x9').addEventListener('keydown', event => { keys += event.isTrusted ? 1 : 0; });
  root.getElementById('go').onclick = async () => {
    const value = id => root.getElementById(id).value;
    const urgent = root.querySelector('input[name=u]:checked');
    const answer = await fetch('/submit', { method: 'POST', headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: value('x9'), email: value('x8'), subject: value('x7'), text: value('x6'), urgency: urgent && urgent.value, keys }) });
    const said = await answer.json();
    if (said.errors) { const p = document.createElement('p'); p.setAttribute('role', 'alert'); p.textContent = said.errors.text; root.append(p); return; }
    root.innerHTML = '<p>Thank you, we have received your request ' + said.ticket + '</p>';
  };
}, 300);
</script>"#;

fn shop(inner: &Site) -> Answer {
    // Another name for the same machine is another site to the browser: the frame gets a process of its own.
    Answer::Page(format!(
        r#"<!doctype html><title>Shop</title><h1>Write to us</h1><div id="box"></div><script>
      const root = document.getElementById('box').attachShadow({{ mode: 'open' }});
      root.innerHTML = '<iframe class="embed" src="http://localhost:{}/embed" width="600" height="600"></iframe>';</script>"#,
        inner.port
    ))
}

#[tokio::test]
async fn a_form_made_by_a_script_in_a_frame_of_another_site_is_used_by_real_keys() {
    if !here() {
        return;
    }
    let answer = Answer::Status(200, r#"{"ticket":"SB-12"}"#, &[("content-type", "application/json")]);
    let inner = Site::start(&[("GET /embed", Answer::Page(EMBEDDED.to_owned())), ("POST /submit", answer)]).await;
    let site = Site::start(&[("GET /shop", shop(&inner))]).await;
    let kit = kit(1);
    let mut order = order("r2", site.url("/shop"), &["#box >>> iframe.embed"]);
    order.form.fields = vec![field(FieldBy::Label("urgency".into()), Fill::Choose("urgent".into()))];
    order.form.submit = Some("send request".into());
    order.form.number = Some(r"request (SB-\d+)".into());
    let filled = kit.browsers.fill_in(&order).await.expect("a filled form");
    let thanks = filled.submit().await.expect("thanks");
    assert_eq!(thanks.number.as_deref(), Some("SB-12"));
    let sent: serde_json::Value = serde_json::from_str(inner.posted()[0].1.split_once('\n').expect("a body").1).expect("JSON");
    assert_eq!(sent["name"], "Ada Lovelace");
    assert_eq!(sent["text"], order.form.text.as_str());
    assert_eq!((&sent["urgency"], sent["email"].as_str()), (&"2".into(), Some("ada@customers.test")));
    assert!(sent["keys"].as_u64() >= Some(10), "the page saw no real keys: {sent}");
}

#[tokio::test]
async fn an_error_inside_a_good_answer_is_quoted() {
    if !here() {
        return;
    }
    let answer = Answer::Status(200, r#"{"errors":{"text":"Order numbers have ten digits"}}"#, &[("content-type", "application/json")]);
    let inner = Site::start(&[("GET /embed", Answer::Page(EMBEDDED.to_owned())), ("POST /submit", answer)]).await;
    let kit = kit(1);
    let mut order = order("r3", inner.url("/embed"), &[]);
    order.form.submit = Some("Send request".into());
    let filled = kit.browsers.fill_in(&order).await.expect("a filled form");
    let stop = filled.submit().await.expect_err("an error");
    assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (Outcome::Fail, "form-submit-refused", true));
    assert!(stop.found.contains("ten digits"), "{stop:?}");
    assert!(kit.picture(&stop).starts_with(b"\x89PNG"));
}

#[tokio::test]
async fn a_form_that_never_comes_is_told_with_the_request_that_failed() {
    if !here() {
        return;
    }
    let page = "<!doctype html><title>Contact</title><h1>Contact us</h1><script src='/widget.js?key=secret'></script>";
    let site = Site::start(&[("GET /contact", Answer::Page(page.to_owned())), ("GET /widget.js", Answer::Status(503, "", &[]))]).await;
    let kit = kit(1);
    let mut order = order("r4", site.url("/contact"), &[]);
    if let FormBy::Browser { limit, .. } = &mut order.form.by {
        *limit = Duration::from_secs(70);
    }
    let stop = kit.browsers.fill_in(&order).await.err().expect("a stop");
    assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (Outcome::Fail, "form-does-not-load", true), "{stop:?}");
    assert!(stop.found.contains("/widget.js answered 503"), "{}", stop.found);
    let told = format!("{stop:?}");
    assert!(!told.contains("key=secret"), "{told}");
    let picture = kit.picture(&stop);
    assert!(picture.starts_with(b"\x89PNG") && picture.len() <= 200_000);
    assert!(stop.seen.raw.expect("the page's text").contains("Contact us"));
}

#[tokio::test]
async fn a_foreign_answer_that_the_browser_may_not_read_is_refused_by_cors() {
    if !here() {
        return;
    }
    let page = |port: u16| {
        format!(
            r#"<!doctype html><form id=f><label>Email <input type=email name=e></label><label>Message <textarea name=m></textarea></label><button>Send</button></form>
      <p id=p></p><script>f.onsubmit = event => {{ event.preventDefault(); fetch('http://localhost:{port}/submit', {{ method: 'POST', body: new FormData(f) }})
      .catch(() => p.textContent = 'Failed to submit'); }};</script>"#
        )
    };
    let desk = Site::start(&[("POST /submit", Answer::Status(500, "boom", &[]))]).await;
    let site = Site::start(&[("GET /contact", Answer::Page(page(desk.port)))]).await;
    let kit = kit(1);
    let filled = kit.browsers.fill_in(&order("r5", site.url("/contact"), &[])).await.expect("a filled form");
    let stop = filled.submit().await.expect_err("a refusal");
    assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (Outcome::Fail, "form-cors-refused", false), "{stop:?}");
    assert!(stop.seen.facts["console"].to_string().contains("CORS"), "{stop:?}");
}

#[tokio::test]
async fn what_only_the_probe_meets_says_nothing_of_customers() {
    if !here() {
        return;
    }
    let form =
        "<form method=post action=/send><label>Email <input type=email name=e></label><label>Message<textarea name=m></textarea></label>";
    let captcha = format!(
        "<!doctype html>{form}<div class='g-recaptcha' style='width:300px;height:80px'>I'm not a robot</div><button>Send</button></form>"
    );
    let login = "<!doctype html><form><label>User <input name=u></label><label>Password <input type=password name=p></label><button>Sign in</button></form>";
    let consent =
        format!("<!doctype html>{form}<label>I consent <input type=checkbox name=consent required></label><button>Send</button></form>");
    let site = Site::start(&[
        ("GET /captcha", Answer::Page(captcha)),
        ("GET /login", Answer::Page(login.to_owned())),
        ("GET /consent", Answer::Page(consent)),
        (
            "GET /robot",
            Answer::Status(
                403,
                "<title>Just a moment...</title><script src=/cdn-cgi/challenge-platform/x.js></script>",
                &[("content-type", "text/html")],
            ),
        ),
        ("GET /broken", Answer::Status(500, "oops", &[])),
    ])
    .await;
    let kit = kit(2);
    let cases = [
        ("/captcha", Outcome::Unknown, "form-captcha"),
        ("/login", Outcome::Unknown, "form-login-wall"),
        ("/consent", Outcome::Unknown, "form-probe-incomplete"),
        ("/robot", Outcome::Unknown, "form-bot-protection"),
        ("/broken", Outcome::Fail, "form-does-not-load"),
    ];
    for (path, outcome, fault) in cases {
        let mut order = order(&format!("r6{}", &path[1..]), site.url(path), &[]);
        if let FormBy::Browser { limit, .. } = &mut order.form.by {
            *limit = Duration::from_secs(70);
        }
        let stop = kit.browsers.fill_in(&order).await.err().expect(path);
        assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (outcome, fault, true), "{path}: {stop:?}");
        assert!(outcome == Outcome::Fail || stop.advice.is_some(), "{path} without advice");
    }
    assert!(site.posted().is_empty());
}

#[tokio::test]
async fn a_dead_address_is_our_trouble_and_only_web_pages_are_opened() {
    if !here() {
        return;
    }
    let kit = kit(1);
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port").local_addr().expect("an address").port();
    for page in [format!("http://127.0.0.1:{free}/"), "file:///etc/passwd".to_owned()] {
        let stop = kit.browsers.fill_in(&order("r7", page, &[])).await.err().expect("a stop");
        assert_eq!((stop.outcome, stop.faults[0]), (Outcome::Unknown, "form-page-unreachable"), "{stop:?}");
        assert!(!format!("{stop:?}").contains("root:"));
    }
}

#[tokio::test]
async fn doctor_shows_the_form_and_submits_nothing() {
    if !here() {
        return;
    }
    let site = Site::start(&[("GET /contact", Answer::Page(STATIC.replace(" required", "")))]).await;
    let kit = kit(1);
    let lines = kit.browsers.doctor(&order("r8", site.url("/contact"), &[])).await.expect("lines").join("\n");
    for part in ["Chromium ", "field What is it about? (select)", "/send (multipart/form-data)", "can be used after"] {
        assert!(lines.contains(part), "no {part} in {lines}");
    }
    assert!(!lines.contains("Website") && site.posted().is_empty());
}
