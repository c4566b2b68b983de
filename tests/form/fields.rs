//! Which form, which field, what is put there, and how it is sent.

use crate::server::*;
use jiff::Timestamp;
use replypath::clock::Clock;
use replypath::engine::ways::{FormOrder, Forms};
use replypath::form::PageForms;
use replypath::model::{FieldBy, Fill, FormField, Outcome};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TAKEN: &str = "<p>Thank you! We have received your request.</p>";

/// Submits the page's form and gives the request.
async fn posted(page: &str, change: impl FnOnce(&mut FormOrder)) -> Got {
    let server = site(page, html(TAKEN)).await;
    let mut order = order(server.url("/contact?from=menu"));
    change(&mut order);
    send(&order).await.unwrap_or_else(|stop| panic!("{stop}: {stop:?}"));
    let posts = server.posts();
    assert_eq!(posts.len(), 1, "submitted once");
    posts[0].clone()
}

/// What keeps the page's form from being filled in.
async fn gap(page: &str, change: impl FnOnce(&mut FormOrder)) -> String {
    let server = site(page, html(TAKEN)).await;
    let mut order = order(server.url("/contact"));
    change(&mut order);
    let stop = stopped(&order).await;
    assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (Outcome::Unknown, "form-probe-incomplete", true), "{stop:?}");
    assert!(server.posts().is_empty());
    stop.found
}

#[tokio::test]
async fn a_person_loads_and_sends_a_page_with_a_browsers_headers() {
    let server = site(contact(""), html(TAKEN)).await;
    send(&order(server.url("/contact?from=menu#form"))).await.unwrap();
    let [get, post] = &server.got()[..] else { panic!("two requests") };
    assert_eq!((get.path.as_str(), post.path.as_str()), ("/contact?from=menu", "/send"));
    for got in [get, post] {
        assert!(got.header("user-agent").unwrap().starts_with("Mozilla/5.0 ("));
        assert!(got.header("accept").unwrap().starts_with("text/html"));
        assert_eq!(got.header("accept-encoding"), Some("gzip"));
        assert!(got.header("accept-language").is_some());
    }
    assert_eq!((get.header("origin"), get.header("referer"), get.header("sec-fetch-site")), (None, None, Some("none")));
    assert_eq!(post.header("origin"), Some(server.url("").as_str()));
    assert_eq!(post.header("referer"), Some(server.url("/contact?from=menu").as_str()));
    assert_eq!(post.header("sec-fetch-site"), Some("same-origin"));
    assert_eq!(post.header("content-type"), Some("application/x-www-form-urlencoded"));
}

#[tokio::test]
async fn traps_for_robots_stay_empty() {
    let traps = [
        "<input type=hidden name=trap value=''>",
        "<input name=trap hidden>",
        "<div hidden><label>Your name <input name=trap></label></div>",
        "<div aria-hidden=true><label>E-mail <input name=trap></label></div>",
        "<input type=email name=trap style='display:none'>",
        "<p style='visibility: hidden'><label>Subject <input name=trap></label></p>",
        "<p style='position:absolute; left:-5000px'><label>Your name <input name=trap></label></p>",
        "<label>Your name <input name=trap style='width:0;height:0;border:0'></label>",
        "<style>.a1, .b2 { color: red; display: none } @media print { form { display: none } }</style><p class='x b2'><label>Your name <input name=trap></label></p>",
        "<style>#tr { opacity: 0 }</style><label>Your name <input id=tr name=trap></label>",
        "<style>form .extra { clip: rect(0,0,0,0) }</style><p class=extra><label>E-mail <input name=trap type=email></label></p>",
        "<label>Your name <input name=trap tabindex=-1 autocomplete=off></label>",
        "<label>Subject (please leave blank) <input name=trap></label>",
        "<label>Name <input name=trap class=my-honeypot></label>",
    ];
    for trap in traps {
        let post = posted(&contact(trap), |_| {}).await;
        assert_eq!(post.field("trap").as_deref(), Some(""), "{trap}");
        assert_eq!(post.field("email").as_deref(), Some("ada@customers.example"), "{trap}");
    }
}

#[tokio::test]
async fn what_only_looks_hidden_is_filled_in() {
    let fields = [
        "<style>@media print {.n {display:none}}</style><p class=n><label>Your name <input name=field></label></p>",
        "<style>.n{display:none} p.n{display:block}</style><p class=n><label>Your name <input name=field></label></p>",
        "<div class=sr-only><style>.sr-only label{color:red}</style><label>Your name <input name=field></label></div>",
        "<style>.sr{position:absolute;left:-9999px}</style><label class=sr for=n>Your name</label><input id=n name=field>",
        "<label>Your name <input name=field tabindex=-1></label>",
    ];
    for field in fields {
        let post = posted(&contact(field), |_| {}).await;
        assert_eq!(post.field("field").as_deref(), Some("Ada Byron"), "{field}");
    }
    // A form that a click opens is hidden as a whole.
    let modal = format!("<div class=modal aria-hidden=true style='display:none'>{}</div>", contact(""));
    assert_eq!(posted(&modal, |_| {}).await.field("email").as_deref(), Some("ada@customers.example"));
}

#[tokio::test]
async fn a_field_is_found_by_every_kind_of_label_by_name_type_and_order() {
    let page = contact(
        "<label for=a>Order number</label><input id=a name=n1> <label>Shop <b>branch</b>: <input name=n2></label>\
         <input name=n3 aria-label='Phone extension'><span id=l1>Account</span> <span id=l2>code *</span><input name=n4 aria-labelledby='l1 l2'>\
         <input name=n5 placeholder='Model'><input type=tel name=n6><input name=n7><input type=hidden name=h value=old><p>Serial no.: <input name=n8>",
    );
    let named = |by: FieldBy, text: &str| FormField { by, fill: write(text) };
    let post = posted(&page, |order| {
        order.form.fields = vec![
            label("order NUMBER", write("1")),
            label("Shop branch", write("2")),
            label("extension", write("3")),
            label("Account code", write("4")),
            label("Model:", write("5")),
            named(FieldBy::Type("tel".into()), "6"),
            named(FieldBy::Order(9), "7"),
            named(FieldBy::Name("h".into()), "new"),
            label("Serial no.", write("8")),
        ];
    })
    .await;
    let values: Vec<String> = (1..=8).map(|n| post.field(&format!("n{n}")).unwrap()).collect();
    assert_eq!(values, ["1", "2", "3", "4", "5", "6", "7", "8"]);
    assert_eq!(post.field("h").as_deref(), Some("new"));
}

#[tokio::test]
async fn what_the_form_does_not_have_is_named_with_what_it_has() {
    let list = "<label>Topic <select name=t><option value=''>Choose<option value=b>Billing<option value=s>Sales<option disabled>Press</select></label>\
                <label>Home town <input name=a></label><label>Town of work <input name=b maxlength=5></label>";
    let page = contact(list);
    let cases: Vec<(FormField, &str)> = vec![
        (label("Colour", write("x")), "no field labelled `Colour`; it has `E-mail`, `Message`, `Topic`, `Home town`, `Town of work`"),
        (label("town", write("x")), "the label `town` fits several fields: `Home town`, `Town of work`"),
        (label("Topic", choose("Returns")), "the field `Topic` has no option `Returns`; it has `choose`, `billing`, `sales`"),
        (label("Topic", choose("Press")), "has no option `Press`"),
        (label("Topic", Fill::Tick(true)), "the field `Topic` is no box to tick but of type select"),
        (label("Town of work", write("Gütersloh")), "the field `Town of work` takes 5 characters, and the probe writes 9"),
        (FormField { by: FieldBy::Name("zip".into()), fill: write("x") }, "no field named `zip`"),
        (FormField { by: FieldBy::Type("date".into()), fill: write("x") }, "no field of type `date`"),
        (FormField { by: FieldBy::Order(6), fill: write("x") }, "the form has 5 visible fields, so there is no field 6"),
    ];
    for (field, wanted) in cases {
        let found = gap(&page, |order| order.form.fields = vec![field]).await;
        assert!(found.contains(wanted), "{found}");
    }
    let found = gap(&page, |order| order.form.submit = Some("Go".into())).await;
    assert!(found.contains("no button `go`; it has: Send"), "{found}");
    let found = gap(&page, |order| order.form.attachments = vec![file("a.txt", "text/plain", b"x")]).await;
    assert!(found.contains("no place for the file `a.txt`"), "{found}");
    let found = gap("<form method=post><input name=a><textarea name=t maxlength=20></textarea><button>", |_| {}).await;
    assert!(found.contains("takes 20 characters") && found.contains("no field takes the text of the request"), "{found}");
}

#[tokio::test]
async fn required_fields_that_nothing_fills_are_named_all_of_them() {
    let page = contact(
        "<label>Topic <select name=t required><option value=''>Choose</option><option>Billing</option></select></label>\
         <fieldset><legend>Urgency</legend><label><input type=radio name=u required> High</label><label><input type=radio name=u required value=2> Low</label></fieldset>\
         <label>Phone <input type=tel name=p required></label><label>Photo <input type=file name=f required></label>\
         <fieldset disabled><label>Old <input name=o required></label></fieldset><label>Set <input name=s required value=x></label>",
    );
    let server = site(&*page, html(TAKEN)).await;
    let stop = stopped(&order(server.url("/"))).await;
    let gaps: Vec<&str> = stop.seen.facts["gaps"].as_array().unwrap().iter().map(|g| g.as_str().unwrap()).collect();
    let wanted = [
        "required field `Topic` has no value in the probe (choices: Billing)",
        "required field `Urgency` has no value in the probe",
        "required field `Phone` has no value in the probe",
        "required field `Photo` has no value in the probe",
    ];
    assert_eq!(gaps, wanted);
    assert!(stop.found.ends_with("; and 1 more"), "{}", stop.found);
}

#[tokio::test]
async fn names_and_addresses_are_put_where_they_are_asked_for() {
    let page = contact(
        "<label>First name <input name=f></label><label>Surname <input name=l></label><label>Confirm e-mail <input name=e2></label>\
         <input name=x autocomplete='section-a name'><label>Company name <input name=c></label><label>Notes <textarea name=n></textarea></label>\
         <label>Subject <input name=s></label><label>Country <select name=k><option>A<option selected>B</select></label>\
         <input type=checkbox name=news value=yes checked><input type=checkbox name=no><input type=radio name=r value=1 checked><input type=radio name=r value=2>",
    );
    let post = posted(&page, |_| {}).await;
    let wanted = [
        ("email", "ada@customers.example"),
        ("message", TEXT),
        ("f", "Ada"),
        ("l", "Byron"),
        ("e2", "ada@customers.example"),
        ("x", "Ada Byron"),
        ("c", ""),
        ("n", ""),
        ("s", "A question rpabcdefghij234567"),
        ("k", "B"),
        ("news", "yes"),
        ("r", "1"),
    ];
    let wanted: Vec<(String, String)> = wanted.iter().map(|(n, v)| ((*n).to_owned(), v.replace('\n', "\r\n"))).collect();
    assert_eq!(post.fields(), wanted);
}

#[tokio::test]
async fn the_form_to_write_in_with_is_told_from_the_others() {
    let others = "<form action=/search role=search><input name=q><button>Search</button></form>\
                  <form action=/login method=post><input name=user><input type=password name=pw><button>Sign in</button></form>\
                  <form action=/newsletter method=post><input type=email name=email><button>Subscribe</button></form>";
    let page = format!("{others}{}{others}", contact(""));
    assert_eq!(posted(&page, |_| {}).await.path, "/send");
    // A selector has the last word, also one of something around the form.
    let two = format!("<section id=a>{}</section><section id=b>{}</section>", contact_to("/one", ""), contact_to("/two", ""));
    assert_eq!(posted(&two, |_| {}).await.path, "/one");
    assert_eq!(posted(&two, |order| order.form.form = Some("#b".into())).await.path, "/two");
    assert_eq!(posted(&two, |order| order.form.form = Some("form[action='/two']".into())).await.path, "/two");
    // The fields that a probe names tell it too.
    let two = format!("{}{}", contact_to("/one", ""), contact_to("/two", "<label>Serial number <input name=s></label>"));
    assert_eq!(posted(&two, |order| order.form.fields = vec![label("Serial number", write("7"))]).await.path, "/two");
}

#[tokio::test]
async fn the_button_decides_where_and_how_a_form_goes() {
    let page = "<base href='/base/'><form id=f method=post action=one><input name=a form=g><textarea name=m></textarea></form>\
                <input type=email name=e form=f><button form=f name=b value=1>First</button>\
                <button form=f name=b value=2 formaction=two formenctype=text/plain>Second</button>\
                <input type=image name=i alt=Third form=f formmethod=get><button type=button>No</button>";
    let first = posted(page, |_| {}).await;
    assert_eq!((first.path.as_str(), first.fields().len(), first.field("b").as_deref()), ("/base/one", 3, Some("1")));
    let second = posted(page, |order| order.form.submit = Some("second".into())).await;
    assert_eq!((second.path.as_str(), second.header("content-type")), ("/base/two", Some("text/plain")));
    let lines = TEXT.replace('\n', "\r\n");
    assert_eq!(String::from_utf8(second.body).unwrap(), format!("m={lines}\r\ne=ada@customers.example\r\nb=2\r\n"));
}

#[tokio::test]
async fn a_form_without_method_goes_into_the_address() {
    let page =
        "<form action='/ask?old=1#there'><label>E-mail <input name=e></label><textarea name=m></textarea><input type=image name=i></form>";
    let server = Server::new(move |got| if got.path.starts_with("/ask") { html(TAKEN) } else { html(page) }).await;
    send(&order(server.url("/contact"))).await.unwrap();
    let got = server.got().pop().unwrap();
    let (path, query) = got.path.split_once('?').unwrap();
    let fields = pairs(query);
    assert_eq!((got.method.as_str(), path, fields.len()), ("GET", "/ask", 4));
    assert_eq!((fields[0].1.as_str(), fields[2].0.as_str()), ("ada@customers.example", "i.x"));
    assert_eq!((got.header("origin"), got.header("content-type")), (None, None));
}

#[tokio::test]
async fn files_go_into_the_right_input() {
    let inputs = "<label>Photo <input type=file name=p></label><label>Papers <input type=file name=q multiple></label>";
    let page = contact(inputs).replace("method=post", "method=post enctype='multipart/form-data'");
    let names = |got: &Got| -> Vec<String> {
        let heads = got.parts().into_iter().map(|(head, _)| head).filter(|h| h.contains("filename="));
        heads.map(|h| h.lines().next().unwrap().split("name=").skip(1).collect::<Vec<_>>().join("")).collect()
    };
    let files = vec![file("a.txt", "text/plain", b"a\nb"), file("b.png", "image/png", &[137, 80]), file("c", "", b"c")];
    let post = posted(&page, |order| order.form.attachments = files.clone()).await;
    assert_eq!(names(&post), ["\"p\"; file\"a.txt\"", "\"q\"; file\"b.png\"", "\"q\"; file\"c\""]);
    assert_eq!(post.part("p").unwrap(), b"a\nb");
    assert_eq!(post.part("message").unwrap(), TEXT.replace('\n', "\r\n").as_bytes());
    let post = posted(&page, |order| {
        order.form.attachments = files.clone();
        order.form.attachments_in = Some(FieldBy::Label("papers".into()));
    })
    .await;
    assert_eq!(names(&post), ["\"p\"; file\"\"", "\"q\"; file\"a.txt\"", "\"q\"; file\"b.png\"", "\"q\"; file\"c\""]);
    let found = gap(&page, |order| {
        order.form.attachments = files;
        order.form.attachments_in = Some(FieldBy::Name("p".into()));
    })
    .await;
    assert!(found.contains("no place for the file `b.png`"), "{found}");
}

/// A clock that remembers what was waited for, and lets nobody wait.
#[derive(Default)]
struct Asked(Mutex<Vec<Timestamp>>);

#[async_trait::async_trait]
impl Clock for Asked {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
    async fn sleep_until(&self, until: Timestamp) {
        self.0.lock().unwrap().push(until);
    }
}

#[tokio::test]
async fn a_person_takes_time_between_page_and_submission() {
    let server = site(contact(""), html(TAKEN)).await;
    let clock = Arc::new(Asked::default());
    let forms = PageForms::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let mut order = order(server.url("/"));
    order.form.dwell = Duration::from_secs(90);
    let filled = forms.fill_in(&order).await.unwrap();
    assert_eq!(*clock.0.lock().unwrap(), [Timestamp::from_second(90).unwrap()]);
    drop(filled);
    assert!(server.posts().is_empty(), "dropping it submits nothing");
}

#[tokio::test]
async fn a_page_of_many_fields_is_read_in_time() {
    let fields: String =
        (0..10_000).map(|n| format!("<p><label for=i{n}>Field {n}</label><input id=i{n} name=n{n}><input type=radio name=r{n}>")).collect();
    let server = site(contact(&fields), html(TAKEN)).await;
    let mut order = order(server.url("/"));
    order.form.fields = vec![label("Field 9999", write("last"))];
    let sent = tokio::time::timeout(Duration::from_secs(60), send(&order)).await.expect("not quadratic");
    assert_eq!(sent.unwrap().seen.print.unwrap().fields.len(), 300);
    assert_eq!(server.posts()[0].field("n9999").as_deref(), Some("last"));
}

#[tokio::test]
async fn a_changed_form_is_seen_in_its_print() {
    let mut prints = Vec::new();
    for more in [
        "<input type=hidden name=token_9f8e7d6c>",
        "<input type=hidden name=token_1a2b3c4d><label><input type=checkbox name=c required>Consent</label>",
    ] {
        let server = site(contact(more), html(TAKEN)).await;
        let mut order = order(server.url("/"));
        order.form.form = Some("form".into());
        let seen = match forms().fill_in(&order).await {
            Ok(filled) => filled.seen().clone(),
            Err(stop) => *stop.seen,
        };
        let mut print = seen.print.unwrap();
        print.target.clear();
        prints.push(print);
    }
    assert_eq!(prints[0].hidden, ["token_#"]);
    assert_eq!(prints[0].changes(&prints[1]), ["field added: Consent (checkbox)*"]);
}
