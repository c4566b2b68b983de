//! What is said of the certificates that servers show.

use crate::server::*;
use jiff::{SignedDuration, Timestamp};
use replypath::names::Names;
use std::sync::atomic::Ordering;

fn trusting() -> Names {
    Names::new(None, Some(authority()))
}

/// What verifying senders refuse of an exchanger with that certificate, and of a server with TLS from the first byte.
async fn refused(certificate: &'static str) -> [Option<String>; 2] {
    use replypath::engine::ports::Exchangers;
    let (now, names) = (Timestamp::now(), trusting());
    let exchanger = names.look("shop.test", &[format!("localhost:{}", mail(certificate).await.port)], now).await.remove(0);
    let server = names.certificate("localhost", tls(certificate).await.port, now).await;
    for sight in [&exchanger, &server] {
        assert!(sight.trouble.is_none() && sight.not_after.is_some(), "{certificate}: {sight:?}");
        assert_eq!(sight.not_after.unwrap() < now, certificate == "expired.pem", "{certificate}: {sight:?}");
    }
    [exchanger.refused, server.refused]
}

#[tokio::test]
async fn certificates_are_judged_as_careful_senders_do() {
    for (certificate, words) in [
        ("good.pem", None),
        ("expired.pem", Some("expired")),
        ("early.pem", Some("not valid yet")),
        ("other-name.pem", Some("wrong name")),
        ("other-authority.pem", Some("unknown issuer")),
    ] {
        let words = words.map(str::to_owned);
        assert_eq!(refused(certificate).await, [words.clone(), words], "{certificate}");
    }
}

#[tokio::test]
async fn a_private_authority_is_unknown_where_only_the_systems_are_trusted_and_an_expired_certificate_is_expired_all_the_same() {
    let names = Names::new(None, None);
    for (certificate, words) in [("good.pem", "unknown issuer"), ("expired.pem", "expired")] {
        let sight = names.certificate("localhost", tls(certificate).await.port, Timestamp::now()).await;
        // A machine without any authorities cannot judge, and says so.
        if sight.trouble.as_deref().is_none_or(|t| !t.contains("certificate authorities")) {
            assert_eq!(sight.refused.as_deref(), Some(words), "{sight:?}");
        }
    }
}

#[tokio::test]
async fn authorities_that_cannot_be_read_are_a_trouble() {
    let names = Names::new(None, Some(env!("CARGO_MANIFEST_DIR").into()));
    let sight = names.certificate("localhost", tls("good.pem").await.port, Timestamp::now()).await;
    assert!(sight.refused.is_none() && sight.trouble.unwrap().contains("cannot be used"));
}

#[tokio::test]
async fn one_look_an_hour_at_each_server() {
    let (server, names, now) = (tls("good.pem").await, trusting(), Timestamp::now());
    for minutes in [0, 1, 30, 59] {
        names.certificate("localhost", server.port, now + SignedDuration::from_mins(minutes)).await;
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    names.certificate("localhost", server.port, now + SignedDuration::from_mins(60)).await;
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}
