//! Servers that stall, flood, break off and lead astray: bounded, and named for what they do.

use crate::server::*;
use replypath::engine::ways::Stop;
use replypath::form::{Limits, PageForms};
use replypath::model::{Outcome, ResultClass};
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

fn hurried() -> PageForms {
    forms().limits(patient())
}

async fn loads(server: &Server) -> Stop {
    stopped_by(&hurried(), &order(server.url("/contact"))).await
}

fn unknown(stop: &Stop, fault: &str, words: &str) {
    assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (Outcome::Unknown, fault, true), "{stop:?}");
    assert!(stop.found.contains(words), "{}", stop.found);
}

/// Sends `head`, then `piece` for ever.
async fn endless(head: &'static str, piece: Vec<u8>) -> Server {
    let piece = Arc::new(piece);
    Server::raw(move |mut stream, got| {
        let piece = Arc::clone(&piece);
        tokio::spawn(async move {
            let page = if got.method == "GET" && got.path == "/form" { html(contact("")) } else { head.as_bytes().to_vec() };
            let _ = stream.write_all(&page).await;
            if got.path != "/form" {
                while stream.write_all(&piece).await.is_ok() {}
            }
        });
    })
    .await
}

#[tokio::test]
async fn what_cannot_be_connected_to_may_be_our_own_network() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let stop = stopped(&order(format!("http://127.0.0.1:{port}/contact?secret=1"))).await;
    unknown(&stop, "form-page-unreachable", "Connection refused");
    assert_eq!((stop.class, stop.passing, &stop.seen.facts["failed_at"]), (ResultClass::Unavailable, true, &"connect".into()));
    assert!(!stop.found.contains("secret") && stop.advice.is_some());
    let stop = stopped(&order("http://no-such-host.invalid/")).await;
    unknown(&stop, "form-page-unreachable", "no-such-host.invalid is not known");
    assert_eq!(stop.seen.facts["failed_at"], "name");
}

#[tokio::test]
async fn a_page_that_never_comes_or_never_ends_is_given_up_in_time() {
    let silent = Server::raw(|stream, _| {
        drop(tokio::spawn(async move {
            let _stream = stream;
            std::future::pending::<()>().await
        }))
    })
    .await;
    let trickle = Server::raw(|mut stream, _| {
        drop(tokio::spawn(async move {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<form>").await;
            let mut ticks = tokio::time::interval(Duration::from_millis(500));
            loop {
                ticks.tick().await;
                if stream.write_all(b"<").await.is_err() {
                    return;
                }
            }
        }))
    })
    .await;
    let heads = endless("HTTP/1.1 200 OK\r\n", b"X-More: yes\r\n".to_vec()).await;
    let began = Instant::now();
    let (a, b, c) = tokio::join!(loads(&silent), loads(&trickle), loads(&heads));
    unknown(&a, "form-page-unreachable", "gave no answer within 10 s");
    unknown(&b, "form-page-unreachable", "after 10 s and did not end");
    assert_eq!((&a.seen.facts["failed_at"], &b.seen.facts["failed_at"]), (&"time".into(), &"time".into()));
    assert!(c.outcome == Outcome::Unknown && c.faults[0] == "form-page-unreachable", "{c:?}");
    assert!(began.elapsed() < Duration::from_secs(60), "side by side");
}

fn gzip(piece: &[u8], times: usize) -> Vec<u8> {
    let mut child = std::process::Command::new("gzip")
        .arg("-9c")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let piece = piece.to_vec();
    let feeding = std::thread::spawn(move || (0..times).for_each(|_| input.write_all(&piece).unwrap()));
    let out = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    out.stdout
}

#[tokio::test]
async fn a_page_of_a_hundred_megabytes_is_not_read_to_its_end() {
    let big = endless("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000000\r\n\r\n", vec![b'x'; 65_536]).await;
    unknown(&loads(&big).await, "form-page-oversize", "more than 4096 KiB");
    let chunked = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut piece = b"10000\r\n".to_vec();
    piece.extend(vec![b'y'; 65_536]);
    piece.extend(b"\r\n");
    unknown(&loads(&endless(chunked, piece).await).await, "form-page-oversize", "more than 4096 KiB");
}

#[tokio::test]
async fn a_gzip_bomb_is_not_unpacked() {
    let bomb = gzip(&vec![0u8; 1 << 20], 200);
    assert!(bomb.len() < 1 << 20, "{} bytes", bomb.len());
    let reply = answer("200 OK", "Content-Type: text/html\r\nContent-Encoding: gzip\r\n", &bomb);
    let server = Server::new(move |_| reply.clone()).await;
    unknown(&loads(&server).await, "form-page-oversize", "more than 4096 KiB");
    // A healthy page is unpacked.
    let page = gzip(contact("").as_bytes(), 1);
    let server = Server::new(move |got| {
        if got.method == "POST" { html("Thanks") } else { answer("200 OK", "Content-Type: text/html\r\nContent-Encoding: gzip\r\n", &page) }
    })
    .await;
    send(&order(server.url("/"))).await.unwrap();
    // A broken one is named.
    let server = Server::new(|_| answer("200 OK", "Content-Type: text/html\r\nContent-Encoding: gzip\r\n", "not gzip")).await;
    unknown(&loads(&server).await, "form-page-unreachable", "broke off in mid-answer");
}

#[tokio::test]
async fn a_page_made_to_hurt_the_reader_is_given_up() {
    let deep = format!("{}{}", contact(""), "<div>".repeat(500_000));
    let server = site(deep, html("Thanks")).await;
    unknown(&loads(&server).await, "form-page-oversize", "1,024 deep");
}

#[tokio::test]
async fn redirects_without_end_and_to_nowhere_are_what_customers_meet() {
    let circle = Server::new(|got| see_other(&format!("{}x", got.path))).await;
    let stop = loads(&circle).await;
    assert_eq!((stop.outcome, stop.faults[0], &stop.seen.facts["failed_at"]), (Outcome::Fail, "form-does-not-load", &"redirects".into()));
    assert!(stop.found.contains("redirects more than 20 times"), "{}", stop.found);
    assert_eq!(circle.got().len(), 21);
    for nowhere in ["file:///etc/passwd", "javascript:alert(1)", "http://"] {
        let server = Server::new(move |_| see_other(nowhere)).await;
        let stop = loads(&server).await;
        assert_eq!((stop.outcome, stop.faults[0]), (Outcome::Fail, "form-does-not-load"), "{nowhere}");
        assert!(!stop.found.contains("etc/passwd"));
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_named() {
    let half = Server::raw(|mut stream, _| {
        drop(tokio::spawn(async move {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\n\r\n<form").await;
        }))
    })
    .await;
    let gone = Server::raw(|stream, _| drop(stream)).await;
    let noise = Server::new(|_| b"\x00\x01\x02 no HTTP at all\r\n\r\n".to_vec()).await;
    for (server, words) in [(half, "broke off in mid-answer"), (gone, "broke off before an answer"), (noise, "broke off before an answer")]
    {
        let stop = loads(&server).await;
        unknown(&stop, "form-page-unreachable", words);
        assert!(stop.passing);
    }
}

#[tokio::test]
async fn invalid_utf_8_is_read_as_browsers_read_it() {
    let mut page = contact("<label>Colour <input name=c></label>").into_bytes();
    page.extend(b"<p>\xff\xfe\xc3\x28 \xf0\x9f</p>");
    let server = Server::new(move |got| {
        if got.method == "POST" {
            answer("200 OK", "Content-Type: text/html; charset=utf-8\r\n", b"<p>Thank you \xff\xfe, number 12\xc3")
        } else {
            answer("200 OK", "Content-Type: text/html; charset=utf-8\r\n", &page)
        }
    })
    .await;
    let mut order = order(server.url("/"));
    order.form.number = Some(r"number (\d+)".to_owned());
    assert_eq!(send(&order).await.unwrap().number.as_deref(), Some("12"));
}

#[tokio::test]
async fn a_submission_that_is_never_answered_is_in_doubt_and_not_repeated() {
    let silent = endless("", Vec::new()).await;
    drop(silent);
    let stall = |head: &'static [u8]| {
        Server::raw(move |mut stream, got| {
            drop(tokio::spawn(async move {
                if got.method == "GET" {
                    let _ = stream.write_all(&html(contact(""))).await;
                } else {
                    let _ = stream.write_all(head).await;
                    std::future::pending::<()>().await;
                }
            }))
        })
    };
    let (mute, half) = tokio::join!(stall(b""), stall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 99\r\n\r\n<p>Th"));
    let cut = Server::raw(|mut stream, got| {
        drop(tokio::spawn(async move {
            if got.method == "GET" {
                let _ = stream.write_all(&html(contact(""))).await;
            }
        }))
    })
    .await;
    let forms = hurried();
    let (a, b, c) = (order(mute.url("/")), order(half.url("/")), order(cut.url("/")));
    let stops = tokio::join!(send_by(&forms, &a), send_by(&forms, &b), send_by(&forms, &c));
    for (stop, server) in [(stops.0, &mute), (stops.1, &half), (stops.2, &cut)] {
        let stop = stop.unwrap_err();
        assert_eq!(
            (stop.outcome, stop.faults[0], stop.no_effect, stop.passing),
            (Outcome::Unknown, "act-uncertain", false, false),
            "{stop:?}"
        );
        assert!(stop.found.starts_with("the form was submitted, but "), "{}", stop.found);
        assert_eq!(server.posts().len(), 1);
    }
}

#[tokio::test]
async fn a_target_that_refuses_the_connection_took_nothing() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let server = site(contact_to(&format!("http://127.0.0.1:{port}/send"), ""), html("Thanks")).await;
    let stop = send(&order(server.url("/"))).await.unwrap_err();
    assert_eq!((stop.outcome, stop.faults[0], stop.no_effect, stop.passing), (Outcome::Fail, "form-submit-refused", true, true));
    assert!(stop.found.starts_with("the form cannot be submitted") && stop.seen.print.is_some(), "{}", stop.found);
}

#[tokio::test]
async fn a_thank_you_without_end_leaves_doubt() {
    let big = endless("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", vec![b'x'; 65_536]).await;
    let stop = send_by(&hurried(), &order(big.url("/form"))).await.unwrap_err();
    assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (Outcome::Unknown, "form-thanks-missing", false));
    let circle = Server::new(|got| if got.path == "/form" { html(contact("")) } else { see_other("/again") }).await;
    let stop = send_by(&hurried(), &order(circle.url("/form"))).await.unwrap_err();
    assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (Outcome::Fail, "form-thanks-missing", false));
    assert_eq!(circle.posts().len(), 1);
}

#[tokio::test]
async fn limits_are_what_they_are_set_to() {
    let server = site(contact(&"<!-- -->".repeat(2_000)), html("Thanks")).await;
    let small = forms().limits(Limits { page_bytes: 8 * 1024, ..patient() });
    unknown(&stopped_by(&small, &order(server.url("/"))).await, "form-page-oversize", "more than 8 KiB");
    send_by(&hurried(), &order(server.url("/"))).await.unwrap();
}
