//! What a stranger can see, send and make a browser do: nothing.

use crate::kit::{PASSWORD, TOKEN, World, at, between, sentence};
use crate::runs::{blank, hostile, judge};
use replypath::model::*;
use reqwest::header::{COOKIE, HOST};

/// Tags and attributes that a stranger's text would have made. Read by the HTML parser that browsers' rules describe.
fn made_by_a_stranger(page: &str) -> Vec<String> {
    let document = scraper::Html::parse_document(page);
    let all = scraper::Selector::parse("*").unwrap();
    let mut found = Vec::new();
    for element in document.select(&all).map(|e| e.value()) {
        let bad_attribute =
            element.attrs().any(|(name, value)| name.starts_with("on") || name == "style" || value.starts_with("javascript:"));
        let own_script = element.name() == "script" && element.attr("src").is_some_and(|s| s.contains("assets/live.js"));
        let own_image = element.name() == "img" && element.attr("class") == Some("picture");
        if bad_attribute
            || (element.name() == "script" && !own_script)
            || (element.name() == "img" && !own_image)
            || element.name() == "iframe"
        {
            found.push(format!("{element:?}"));
        }
    }
    found
}

#[tokio::test]
async fn script_and_markup_of_a_mail_show_as_text_everywhere() {
    let world = World::new(&["billing"]).await;
    world.run("rgood", "billing", Verdict::Pass, -900).await;
    world.ended(&hostile(world.probe("billing"), at(0))).await;
    let views = ["checks", "sent", "ticket", "answer", "hops", "differences", "compare", "log"];
    let mut paths: Vec<String> = views.iter().map(|v| format!("/runs/rhostile?view={v}")).collect();
    paths.extend(["/".to_owned(), "/probes/billing".to_owned(), format!("/?q={}", "%3Cscript%3Ealert(1)%3C/script%3E%22%3E")]);
    for path in &paths {
        let page = world.page(path).await;
        assert_eq!(made_by_a_stranger(&page), [] as [String; 0], "{path}");
    }
    let answer = world.page("/runs/rhostile?view=answer").await;
    assert!(answer.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "shown as text: {answer}");
    assert!(!answer.contains("<p>&lt;script"), "the HTML part is not shown");
    // The test sees what it looks for.
    assert!(!made_by_a_stranger(&answer.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"")).is_empty());
}

#[tokio::test]
async fn every_answer_forbids_inline_and_foreign_content() {
    let world = World::new(&["billing"]).await;
    for path in ["/", "/probes/billing", "/runs/none", "/status.txt", "/api/v1/status", "/assets/live.js", "/badge.svg", "/login"] {
        let answer = world.get(path).await;
        let header = |name: &str| answer.headers().get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(
            (header("x-content-type-options"), header("referrer-policy")),
            ("nosniff".to_owned(), "same-origin".to_owned()),
            "{path}"
        );
    }
    let page = world.page("/").await;
    assert!(!page.contains("http://") && !page.contains("https://"), "no request to elsewhere: {page}");
    assert!(!page.contains("href=\"/") && !page.contains("src=\"/") && !page.contains("action=\"/"), "relative, for any path of a proxy");
}

/// Words that only evidence holds.
const PRIVATE: [&str; 6] = ["alice@customers.test", "rprbad", "billing-people@desk.test", "mailbox-secret", "desk-secret", "4711"];

async fn assert_no_evidence(world: &World, host: Option<&str>) {
    for path in [
        "/",
        "/probes/billing",
        "/runs/rbad",
        "/runs/rbad?view=log",
        "/runs/rbad?view=answer",
        "/status.txt",
        "/api/v1/status",
        "/api/v1/incidents",
        "/api/v1/probes",
        "/api/v1/probes/billing",
        "/api/v1/runs",
        "/api/v1/runs/rbad",
        "/badge/billing.json",
    ] {
        let mut asked = world.client.get(world.url(path));
        if let Some(host) = host {
            asked = asked.header(HOST, host);
        }
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let text = answer.text().await.unwrap();
        for private in PRIVATE {
            assert!(!text.contains(private), "{path} shows {private}: {text}");
        }
    }
}

async fn with_a_failure(world: &World) {
    let mut run = blank("rbad", world.probe("billing"), Trigger::Scheduled, at(0));
    judge(&mut run, Verdict::Fail);
    run.ticket = Some(TicketRef { id: "4711".to_owned(), number: "4711".to_owned() });
    run.observations.push(
        Observation::new(at(5), Some(Stage::Return), Source::Page, "form", "rprbad", Looked::Found).fact("screenshot", "screenshots/a.png"),
    );
    world.ended(&run).await;
    world.picture("a.png");
    world.picture("b.png");
}

#[tokio::test]
async fn the_public_sees_verdicts_and_no_evidence() {
    let world = World::with_token(&["billing"], true).await;
    with_a_failure(&world).await;
    assert_no_evidence(&world, None).await;
    let public = world.page("/runs/rbad").await;
    assert_eq!(sentence(&public), "FAIL at return: billing");
    assert!(public.contains("Evidence is shown only to operators") && !public.contains("Run now"), "{public}");
    assert_eq!(world.get("/runs/rbad/pictures/a.png").await.status(), 404);

    let operator = world.as_operator("/runs/rbad").await.text().await.unwrap();
    assert!(operator.contains("Junk of alice@customers.test") && operator.contains("4711"), "{operator}");
    let picture = world.as_operator("/runs/rbad/pictures/a.png").await;
    assert_eq!((picture.status().as_u16(), picture.headers()["content-type"].to_str().unwrap()), (200, "image/png"));
    for name in ["b.png", "..%2Freplypath.db", "a.svg"] {
        assert_eq!(world.as_operator(&format!("/runs/rbad/pictures/{name}")).await.status(), 404, "{name}: the run does not name it");
    }
    let api: RunReport = serde_json::from_str(&world.as_operator("/api/v1/runs/rbad").await.text().await.unwrap()).unwrap();
    assert_eq!(api.ticket.as_deref(), Some("4711"));
}

#[tokio::test]
async fn without_a_token_evidence_is_for_this_machine_alone() {
    let world = World::new(&["billing"]).await;
    with_a_failure(&world).await;
    assert!(world.page("/runs/rbad").await.contains("alice@customers.test"), "asked from the machine itself");
    // A name that a stranger points at 127.0.0.1.
    assert_no_evidence(&world, Some("status.evil.test")).await;
    for header in ["x-forwarded-for", "forwarded", "via", "x-real-ip"] {
        let answer = world.client.get(world.url("/runs/rbad")).header(header, "for=192.0.2.1").send().await.unwrap().text().await.unwrap();
        assert!(!answer.contains("alice@customers.test"), "handed on by a proxy that says {header}");
    }
}

#[tokio::test]
async fn a_page_that_is_not_public_asks_everybody_to_sign_in() {
    let world = World::with_token(&["billing"], false).await;
    with_a_failure(&world).await;
    for (path, to) in
        [("/", "login"), ("/probes/billing", "../login"), ("/runs/rbad", "../login"), ("/probes/billing/last-good", "../../login")]
    {
        let answer = world.get(path).await;
        assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()), (303, to), "{path}");
    }
    for path in ["/api/v1/status", "/api/v1/runs/rbad", "/events", "/status.txt", "/badge.svg", "/runs"] {
        let answer = world.get(path).await;
        assert!([401, 404].contains(&answer.status().as_u16()), "{path}");
        assert!(!answer.text().await.unwrap().contains("billing"), "{path}");
    }
    let wrong = world.client.get(world.url("/api/v1/status")).bearer_auth("operators-token-0124").send().await.unwrap();
    assert_eq!((wrong.status().as_u16(), wrong.headers()["www-authenticate"].to_str().unwrap()), (401, "Bearer"));
    assert_eq!(world.as_operator("/api/v1/status").await.status(), 200);

    let refused = world.client.post(world.url("/login")).form(&[("token", "guess")]).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    assert!(!refused.headers().contains_key("set-cookie"));
    let foreign =
        world.client.post(world.url("/login")).header("sec-fetch-site", "cross-site").form(&[("token", TOKEN)]).send().await.unwrap();
    assert_eq!(foreign.status(), 403, "a form of another site");

    let cookie = world.sign_in().await;
    let with = |cookie: String| world.client.get(world.url("/")).header(COOKIE, cookie).send();
    assert_eq!(with(format!("other=1; {cookie}")).await.unwrap().status(), 200);
    let mut forged = cookie.clone();
    forged.pop();
    assert_eq!(with(format!("{forged}0{forged}")).await.unwrap().status(), 303, "forged");
    world.clock.advance(std::time::Duration::from_secs(12 * 3_600 + 1));
    assert_eq!(with(cookie).await.unwrap().status(), 303, "run out");
}

#[tokio::test]
async fn a_user_signs_in_by_name_and_only_as_long_as_the_file_says_so() {
    let world = World::with_users(&["billing"], "jane.doe").await;
    world.ended(&hostile(world.probe("billing"), at(0))).await;
    assert_eq!(world.get("/api/v1/status").await.status(), 401, "not public");
    assert_eq!(world.get("/").await.headers()["location"], "login");
    let form = world.page("/login").await;
    assert!(form.contains("name=\"user\"") && !form.contains("name=\"token\""), "no token is configured: {form}");
    let sign_in =
        |user: &str, password: &str| world.client.post(world.url("/login")).form(&[("user", user), ("password", password)]).send();
    for (user, password) in [("jane.doe", "wrong"), ("john", PASSWORD), ("", PASSWORD), ("jane.doe", ""), ("john", "")] {
        let refused = sign_in(user, password).await.unwrap();
        assert_eq!((refused.status().as_u16(), refused.headers().get("set-cookie")), (403, None), "{user} {password}");
    }
    let answer = sign_in("jane.doe", PASSWORD).await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let get = |path: &str, cookie: String| world.client.get(world.url(path)).header(COOKIE, cookie).send();
    let page = get("/runs/rhostile?view=answer", cookie.clone()).await.unwrap().text().await.unwrap();
    assert!(page.contains("Sign out jane.doe") && page.contains("The agent's answer"), "{page}");
    for forged in [cookie.replace("jane.doe", "john"), cookie.replace(".jane.doe", ""), cookie.replace("jane.doe", "jane")] {
        assert_eq!(get("/api/v1/status", forged).await.unwrap().status(), 401);
    }
    assert_eq!(get("/api/v1/status", cookie.clone()).await.unwrap().status(), 200);
    let csrf = between(&page, "name=\"csrf\" value=\"", "\"").to_owned();
    let start = world.client.post(world.url("/probes/billing/run")).header(COOKIE, &cookie).form(&[("csrf", &csrf)]).send();
    assert_eq!(start.await.unwrap().status(), 303, "an operator starts runs");

    world.users("somebody-else").await;
    assert_eq!(get("/api/v1/status", cookie).await.unwrap().status(), 401, "no longer in the file");
}
