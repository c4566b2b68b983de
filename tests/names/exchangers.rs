//! The exchangers of a domain as a careful sender finds and sees them.

use crate::server::*;
use jiff::{SignedDuration, Timestamp};
use replypath::engine::ports::Exchangers;
use replypath::model::ExchangerSight;
use replypath::names::Names;
use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;

/// Looks by the DNS, with exchangers on that port.
async fn look(of_zone: Zone, port: u16, domain: &str) -> Vec<ExchangerSight> {
    let names = Names::with_port(Some(zone(of_zone).await), Some(authority()), port);
    names.look(domain, &[], Timestamp::now()).await
}

async fn given(port: u16) -> ExchangerSight {
    Names::new(None, Some(authority())).look("shop.test", &[format!("127.0.0.1:{port}")], Timestamp::now()).await.remove(0)
}

const LOOPBACK: Record = Record::A(Ipv4Addr::LOCALHOST);

#[tokio::test]
async fn the_dns_names_them_and_without_any_the_domain_is_its_own() {
    let server = mail("good.pem").await;
    let of_zone = vec![
        ("shop.test", Record::Mx(10, "localhost")),
        ("shop.test", Record::Mx(5, "mx.test")),
        ("mx.test", LOOPBACK),
        ("localhost", LOOPBACK),
        ("own.test", LOOPBACK),
        ("null.test", Record::Mx(0, ".")),
        ("lost.test", Record::Mx(10, "nowhere.test")),
    ];
    let told = |sights: Vec<ExchangerSight>| -> Vec<(String, String)> {
        let words = |s: ExchangerSight| s.refused.or(s.trouble).unwrap_or_default();
        sights.into_iter().map(|s| (s.host.clone(), words(s))).collect()
    };
    let at = |host: &str| format!("{host}:{}", server.port);
    let looked = look(of_zone.clone(), server.port, "shop.test").await;
    assert_eq!(told(looked), [(at("mx.test"), "wrong name".to_owned()), (at("localhost"), String::new())]);
    assert_eq!(told(look(of_zone.clone(), server.port, "own.test").await), [(at("own.test"), "wrong name".to_owned())]);
    assert_eq!(told(look(of_zone.clone(), server.port, "null.test").await), [("null.test".to_owned(), "null MX".to_owned())]);
    assert_eq!(told(look(of_zone.clone(), server.port, "none.test").await), [("none.test".to_owned(), "no such domain".to_owned())]);
    let lost = look(of_zone, server.port, "lost.test").await.remove(0);
    assert!(lost.refused.is_none() && lost.trouble.unwrap().contains("no host nowhere.test"));
}

#[tokio::test]
async fn other_letters_are_asked_for_as_the_dns_has_them() {
    let server = mail("good.pem").await;
    let of_zone = vec![("xn--bcher-kva.test", Record::Mx(10, "localhost")), ("localhost", LOOPBACK)];
    let sight = look(of_zone, server.port, "bücher.test").await.remove(0);
    assert_eq!((sight.refused, sight.trouble), (None, None));
}

#[tokio::test]
async fn a_server_without_starttls_is_told_from_one_that_could_not_be_looked_at() {
    let bare = given(plain_mail("220 hello", "250-mx.test\r\n250 SIZE 1000").await.port).await;
    assert_eq!((bare.refused.as_deref(), bare.trouble), (Some("no STARTTLS"), None));
    for (greeting, ehlo, words) in
        [("554 no service", "", "554 no service"), ("220 hello", "421 too busy", "421 too busy"), ("* OK IMAP", "", "not SMTP")]
    {
        let sight = given(plain_mail(greeting, ehlo).await.port).await;
        assert!(sight.refused.is_none() && sight.trouble.as_ref().unwrap().contains(words), "{sight:?}");
    }
    let closed = given(1).await;
    assert!(closed.refused.is_none() && closed.trouble.unwrap().contains("no connection to 127.0.0.1:1"));
    let no_place = Names::new(None, None).look("shop.test", &["mx1".to_owned()], Timestamp::now()).await.remove(0);
    assert!(no_place.trouble.unwrap().contains("no host with its port"));
}

#[tokio::test]
async fn a_silent_server_costs_a_bounded_time() {
    let sight = given(silent().await.port).await;
    assert!(sight.refused.is_none() && sight.trouble.unwrap().contains("within 20 s"));
}

#[tokio::test]
async fn fifty_runs_cost_one_look_a_minute() {
    let server = mail("good.pem").await;
    let names = Names::with_port(None, Some(authority()), 25);
    let (place, now) = (vec![format!("localhost:{}", server.port)], Timestamp::now());
    let looks = (0..50).map(|n| names.look("shop.test", &place, now + SignedDuration::from_secs(n)));
    let sights = futures_util::future::join_all(looks).await;
    assert!(sights.iter().all(|s| s == &sights[0] && s[0].refused.is_none() && s[0].trouble.is_none()), "{:?}", sights[0]);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    names.look("shop.test", &place, now + SignedDuration::from_secs(61)).await;
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn the_sandbox_shows_its_exchanger_by_name_and_what_its_switch_makes_of_it() {
    use replypath::names::policy::Policy;
    use replypath::sandbox::{self, Options};
    let sandbox = sandbox::start(Options::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    std::fs::write(&authority, &sandbox.authority).unwrap();
    let (now, domain) = (Timestamp::now(), sandbox.queues[0].address.rsplit_once('@').unwrap().1);
    let names = Names::with_port(Some(sandbox.dns), Some(authority), sandbox.desk_mx.port());
    let good = names.look(domain, &[], now).await.remove(0);
    assert_eq!((good.host.as_str(), good.refused, good.trouble), (sandbox.exchanger.as_str(), None, None));
    assert!(good.not_after.unwrap() > now);
    sandbox.set_fault("mx-cert-expired", true).unwrap();
    let later = now + SignedDuration::from_mins(2);
    let bad = names.look(domain, &[], later).await.remove(0);
    assert_eq!((bad.refused.as_deref(), bad.trouble), (Some("expired"), None));
    assert!(bad.not_after.unwrap() < now);
    let policy = names.mail_policy(domain, Some("s1"), now).await;
    assert!(matches!(&policy.spf, Policy::Is(text) if text.starts_with("v=spf1 ")), "{policy:?}");
    assert!(matches!(&policy.dmarc, Policy::Is(_)) && policy.dkim == Some(Policy::None), "{policy:?}");
    let none = names.look("elsewhere.example", &[], now).await.remove(0);
    assert_eq!(none.refused.as_deref(), Some("no such domain"));
}
