//! Links that hold wherever the pages are, and pages that stay small whatever happens.

use crate::kit::{TOKEN, World, at};
use crate::runs::{blank, judge};
use replypath::engine::ports::RunEvent;
use replypath::model::{Trigger, Verdict};
use replypath::page;
use replypath::web;
use reqwest::Url;
use std::collections::BTreeSet;

/// Every address that a page names, resolved as a browser does.
fn links(page: &str, at: &Url) -> BTreeSet<Url> {
    let document = scraper::Html::parse_document(page);
    let named = [("a", "href"), ("link", "href"), ("script", "src"), ("form", "action"), ("body", "data-events"), ("img", "src")];
    let mut found = BTreeSet::new();
    for (tag, attribute) in named {
        let all = scraper::Selector::parse(&format!("{tag}[{attribute}]")).unwrap();
        found.extend(document.select(&all).map(|e| at.join(e.value().attr(attribute).unwrap()).unwrap()));
    }
    found
}

#[tokio::test]
async fn every_link_holds_below_a_path_of_a_proxy() {
    let world = World::with_token(&["billing"], true).await;
    world.run("rgood", "billing", Verdict::Pass, 0).await;
    world.run("rbad", "billing", Verdict::Fail, 900).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let root: Url = format!("http://{}/ops/replypath/", listener.local_addr().unwrap()).parse().unwrap();
    // What a proxy does: it takes the folder away and hands on the rest.
    let metrics = std::sync::Arc::new(replypath::metrics::Metrics::new().unwrap());
    let others = web::router(web::Site { metrics, pulse: world.pulse.clone(), clock: world.clock.clone() });
    let below = axum::Router::new().nest("/ops/replypath/", page::router(world.pages.clone()).merge(others));
    tokio::spawn(web::serve(listener, below, std::future::pending()));

    let mut open = vec![root.clone()];
    let mut seen = BTreeSet::new();
    while let Some(url) = open.pop() {
        if !seen.insert(url.clone()) || url.path().ends_with("/events") || url.path().ends_with("/run") || url.path().ends_with("/logout") {
            continue;
        }
        assert!(url.as_str().starts_with(root.as_str()), "{url} leaves the folder");
        let answer = world.client.get(url.clone()).bearer_auth(TOKEN).send().await.unwrap();
        match answer.status().as_u16() {
            200 if answer.headers()["content-type"].to_str().unwrap().starts_with("text/html") => {
                let without_fragment = |mut url: Url| {
                    url.set_fragment(None);
                    url
                };
                open.extend(links(&answer.text().await.unwrap(), &url).into_iter().map(without_fragment));
            }
            200 => {}
            303 => open.push(url.join(answer.headers()["location"].to_str().unwrap()).unwrap()),
            code => panic!("{url}: {code}"),
        }
    }
    assert!(seen.len() > 25, "{seen:?}");
    assert!(seen.iter().any(|u| u.path().ends_with("/runs/rbad") && u.query() == Some("view=log")), "{seen:?}");
    assert!(seen.iter().any(|u| u.path() == "/ops/replypath/probes/billing/run"), "{seen:?}");
}

/// Every probe with a full strip of these verdicts.
fn fill(world: &World, verdict: impl Fn(usize, i64) -> Verdict) {
    use replypath::daemon::Watcher;
    for (number, probe) in world.config.probes.values().enumerate() {
        for n in 0..40 {
            let mut run = blank(&format!("r{number}x{n}"), probe, Trigger::Scheduled, at(60 * n));
            judge(&mut run, verdict(number, n));
            world.pages.observe(&RunEvent::Finished(Box::new(run)));
        }
    }
}

#[tokio::test]
async fn the_first_page_stays_small_with_a_thousand_probes() {
    let names: Vec<String> = (0..1_000).map(|n| format!("path-{n:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let world = World::with_token(&names, true).await;
    fill(&world, |_, _| Verdict::Pass);
    let well = world.as_operator("/").await.text().await.unwrap();
    assert!(well.len() < 20_000, "{}: healthy gateways are folded", well.len());
    assert!(well.contains("1000 reply paths are ok"), "{well}");
    fill(&world, |number, n| if (number as i64 + n) % 2 == 0 { Verdict::Fail } else { Verdict::Unknown });
    let began = std::time::Instant::now();
    let bad = world.as_operator("/").await.text().await.unwrap();
    let took = began.elapsed();
    assert!(bad.len() < 150_000, "{}", bad.len());
    assert!(bad.contains("page=2"), "the others are on further pages");
    println!("1,000 probes, all broken: {} bytes in {took:?}", bad.len());
    let mut shown = 0;
    for number in 1.. {
        let page = world.as_operator(&format!("/?page={number}")).await.text().await.unwrap();
        let rows = page.matches("class=\"probe\"").count();
        shown += rows;
        if rows == 0 {
            break;
        }
    }
    assert_eq!(shown, 1_000, "every one is on some page");
}
