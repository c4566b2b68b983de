//! Forms.

use crate::kit::{field, here, kit, order};
use crate::site::{Answer, Site};
use replypath::engine::ways::Forms;
use replypath::model::{FieldBy, Fill, OutgoingAttachment};

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
