//! Runs started from the page.

use crate::kit::{TOKEN, World, between};
use replypath::model::Trigger;
use reqwest::header::COOKIE;
use reqwest::{RequestBuilder, Response};

async fn send(request: RequestBuilder, csrf: &str) -> Response {
    request.form(&[("csrf", csrf)]).send().await.unwrap()
}

#[tokio::test]
async fn a_start_needs_the_session_and_a_form_of_its_own() {
    let world = World::with_token(&["billing"], true).await;
    let form = || world.client.post(world.url("/probes/billing/run"));
    assert_eq!(send(form(), "").await.status(), 403, "nobody");
    let cookie = world.sign_in().await;
    let page = world.client.get(world.url("/")).header(COOKIE, &cookie).send().await.unwrap().text().await.unwrap();
    let csrf = between(&page, "action=\"./probes/billing/run\"><input type=\"hidden\" name=\"csrf\" value=\"", "\"").to_owned();
    assert_eq!(csrf.len(), 64);
    let mine = || form().header(COOKIE, &cookie);
    assert_eq!(send(mine(), "").await.status(), 403, "without the proof");
    assert_eq!(send(mine(), &csrf.replace(|c: char| c.is_ascii_digit(), "0")).await.status(), 403, "a wrong proof");
    assert_eq!(send(mine().header("sec-fetch-site", "cross-site"), &csrf).await.status(), 403, "by another site");
    assert_eq!(send(mine().header("origin", "https://evil.test"), &csrf).await.status(), 403, "by another origin");
    let other = world.sign_in_later().await;
    assert_eq!(send(form().header(COOKIE, &other), &csrf).await.status(), 403, "the proof of another session");
    assert_eq!(world.started(), [], "none of these sent anything");

    let begun = send(mine().header("sec-fetch-site", "same-origin"), &csrf).await;
    assert_eq!((begun.status().as_u16(), begun.headers()["location"].to_str().unwrap()), (303, "../../runs/rhand1"));
    assert_eq!(world.started(), [("billing".to_owned(), Trigger::Manual)]);
    assert_eq!(send(mine(), &csrf).await.status(), 409, "that run is under way");
    assert_eq!(world.started().len(), 1);
}

#[tokio::test]
async fn the_api_starts_runs_for_the_token_alone_and_not_too_often() {
    let world = World::with_token(&["billing", "sales"], true).await;
    let post = |probe: &str| world.client.post(world.url(&format!("/api/v1/probes/{probe}/runs")));
    let cookie = world.sign_in().await;
    assert_eq!(post("billing").header(COOKIE, cookie).send().await.unwrap().status(), 403, "a page of a stranger can use a cookie");
    assert_eq!(post("billing").send().await.unwrap().status(), 403);
    assert_eq!(post("nobody").bearer_auth(TOKEN).send().await.unwrap().status(), 404);
    let begun = post("billing").bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(begun.status(), 202);
    assert_eq!(begun.json::<serde_json::Value>().await.unwrap()["run"], "rhand1");
    let mut run = world.store_run("rhand1").await;
    crate::runs::judge(&mut run, replypath::model::Verdict::Pass);
    world.finish(&run).await;
    let again = post("billing").bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!((again.status().as_u16(), again.headers()["retry-after"].to_str().unwrap()), (429, "60"));
    assert_eq!(post("sales").bearer_auth(TOKEN).send().await.unwrap().status(), 202, "another one may");
    world.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(post("billing").bearer_auth(TOKEN).send().await.unwrap().status(), 202);
    world.pages.shut();
    world.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(post("sales").bearer_auth(TOKEN).send().await.unwrap().status(), 503, "the daemon ends");
}

#[tokio::test]
async fn without_a_token_nobody_starts_anything() {
    let world = World::new(&["billing"]).await;
    assert!(!world.page("/").await.contains("Run now"));
    assert_eq!(send(world.client.post(world.url("/probes/billing/run")), "").await.status(), 403);
    assert_eq!(world.client.post(world.url("/api/v1/probes/billing/runs")).bearer_auth("").send().await.unwrap().status(), 403);
    assert!(world.page("/login").await.contains("nobody can sign in"));
    assert_eq!(world.started(), []);
}
