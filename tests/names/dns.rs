//! The resolver, and answers that mean it ill.

use crate::server::*;
use replypath::names::dns::{Found, Resolver};
use replypath::names::policy::{self, Policy};
use simple_dns::{Packet, RCODE};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::UdpSocket;

const SHOP: [(&str, Record); 3] =
    [("shop.test", Record::Mx(20, "b.test")), ("shop.test", Record::Mx(10, "A.test")), ("a.test", Record::A(Ipv4Addr::LOCALHOST))];

fn expected() -> Found<(u16, String)> {
    Found::Some(vec![(10, "a.test".to_owned()), (20, "b.test".to_owned())])
}

#[tokio::test]
async fn exchangers_come_best_first_and_missing_names_are_told_from_names_without_any() {
    let resolver = Resolver::at(zone(SHOP.to_vec()).await);
    assert_eq!(resolver.exchangers("Shop.Test").await.unwrap(), expected());
    assert_eq!(resolver.exchangers("a.test").await.unwrap(), Found::Some(Vec::new()));
    assert_eq!(resolver.exchangers("nowhere.test").await.unwrap(), Found::NoSuchName);
    assert_eq!(resolver.addresses("a.test").await.unwrap(), [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    assert_eq!(resolver.addresses("::1").await.unwrap(), ["::1".parse::<IpAddr>().unwrap()]);
    let trouble = resolver.addresses("b.test").await.unwrap_err();
    assert!(trouble.0.contains("no host b.test"), "{trouble}");
    for name in ["", ".", "ä.test", &"x".repeat(64), &"long.".repeat(60)] {
        assert!(resolver.exchangers(name).await.unwrap_err().0.contains("no name that the DNS could know"), "{name}");
    }
}

#[tokio::test]
async fn an_answer_with_another_id_or_to_another_question_is_not_believed() {
    let forged: Vec<(&'static str, Record)> = vec![("shop.test", Record::Mx(1, "evil.test")), ("other.test", Record::Mx(1, "evil.test"))];
    let server = names(
        move |question| {
            let mut wrong_id = proper(&forged, question);
            wrong_id[0] ^= 0xff;
            // Not an answer at all: a question of our own id that carries records.
            let mut no_answer = proper(&forged, question);
            no_answer[2] &= 0x7f;
            let mut asked = Packet::parse(question).unwrap();
            asked.questions[0].qname = simple_dns::Name::new("other.test").unwrap();
            let other_question = proper(&forged, &asked.build_bytes_vec().unwrap());
            let garbage = question[..2].to_vec();
            vec![wrong_id, no_answer, other_question, garbage, proper(&SHOP.to_vec(), question)]
        },
        |_| Vec::new(),
    )
    .await;
    assert_eq!(Resolver::at(server).exchangers("shop.test").await.unwrap(), expected());
}

#[tokio::test]
async fn an_answer_from_another_address_is_not_believed() {
    // The real server answers only after the forger has.
    let real = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let forger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = real.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = real.recv_from(&mut buffer).await {
            let forged = proper(&vec![("shop.test", Record::Mx(1, "evil.test"))], &buffer[..length]);
            forger.send_to(&forged, from).await.unwrap();
            real.send_to(&proper(&SHOP.to_vec(), &buffer[..length]), from).await.unwrap();
        }
    });
    assert_eq!(Resolver::at(address).exchangers("shop.test").await.unwrap(), expected());
}

#[tokio::test]
async fn what_was_cut_is_asked_again_over_tcp_even_when_it_was_cut_in_the_middle_of_a_record() {
    let whole = |question: &[u8]| proper(&SHOP.to_vec(), question);
    let cut = move |question: &[u8], length: Option<usize>| {
        let mut answer = whole(question);
        answer[2] |= 0x02;
        answer.truncate(length.unwrap_or(answer.len()));
        vec![answer]
    };
    for length in [None, Some(40)] {
        let server = names(move |q| cut(q, length), whole).await;
        assert_eq!(Resolver::at(server).exchangers("shop.test").await.unwrap(), expected());
    }
    // Cut even over TCP, and cut with nothing there.
    let server = names(move |q| cut(q, None), move |q| cut(q, None).remove(0)).await;
    let trouble = Resolver::at(server).exchangers("shop.test").await.unwrap_err();
    assert!(trouble.0.contains("cut even over TCP"), "{trouble}");
    let server = names(move |q| cut(q, None), |_| vec![0; 5]).await;
    assert!(Resolver::at(server).exchangers("shop.test").await.unwrap_err().0.contains("no answer to the question"));
}

#[tokio::test]
async fn names_that_point_at_themselves_end_and_prove_nothing() {
    // The record's owner is a pointer to itself, to what comes later, and a pair of pointers to each other.
    let owners = [[0xc0, 0x1b, 0xc0, 0x1b], [0xc0, 0xff, 0xc0, 0xff], [0xc0, 0x1d, 0xc0, 0x1b]];
    let all = owners.map(|owner| async move {
        let server = names(
            move |question| {
                let mut answer = question.to_vec();
                answer[2] |= 0x80;
                answer[7] = 1;
                assert_eq!(answer.len(), 0x1b);
                answer.extend(owner);
                answer.extend([0, 15, 0, 1, 0, 0, 0, 60, 0, 4, 0, 1, 0xc0, 0x1b]);
                vec![answer]
            },
            |_| Vec::new(),
        )
        .await;
        Resolver::at(server).exchangers("shop.test").await.unwrap_err()
    });
    for trouble in futures_util::future::join_all(all).await {
        assert!(trouble.0.contains("no answer for shop.test within"), "{trouble}");
    }
}

#[tokio::test]
async fn aliases_are_followed_and_a_ring_of_them_ends() {
    let zone_of = vec![
        ("www.test", Record::Alias("real.test")),
        ("real.test", Record::A(Ipv4Addr::LOCALHOST)),
        ("ring.test", Record::Alias("gnir.test")),
        ("gnir.test", Record::Alias("ring.test")),
    ];
    let resolver = Resolver::at(zone(zone_of).await);
    assert_eq!(resolver.addresses("www.test").await.unwrap(), [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    assert!(resolver.addresses("ring.test").await.unwrap_err().0.contains("has no address"));
}

#[tokio::test]
async fn a_server_that_fails_refuses_or_is_silent_proves_nothing() {
    for (code, words) in [(RCODE::ServerFailure, "SERVFAIL"), (RCODE::Refused, "REFUSED"), (RCODE::FormatError, "does not understand")] {
        let server = names(
            move |q| {
                let mut answer = proper(&SHOP.to_vec(), q);
                answer[3] = (answer[3] & 0xf0) | code as u8;
                vec![answer]
            },
            |_| Vec::new(),
        )
        .await;
        let trouble = Resolver::at(server).exchangers("shop.test").await.unwrap_err();
        assert!(trouble.0.contains(words), "{trouble}");
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let server = names(
        move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Vec::new()
        },
        |_| Vec::new(),
    )
    .await;
    assert!(Resolver::at(server).exchangers("shop.test").await.unwrap_err().0.contains("within 3 s"));
    assert_eq!(asked.load(Ordering::SeqCst), 2, "a lost packet is asked for once more");
    let nobody: SocketAddr = "127.0.0.1:1".parse().unwrap();
    assert!(Resolver::at(nobody).exchangers("shop.test").await.is_err());
}

#[tokio::test]
async fn a_domain_says_who_may_send_its_mail() {
    let zone_of = vec![
        ("shop.test", Record::Txt(&["other words"])),
        ("shop.test", Record::Txt(&["v=spf1 mx ", "-all"])),
        ("_dmarc.shop.test", Record::Txt(&["v=DMARC1; p=reject"])),
        ("s1._domainkey.shop.test", Record::Txt(&["v=DKIM1; k=rsa; p=", "MIIB"])),
        ("gone._domainkey.shop.test", Record::Txt(&["v=DKIM1; p="])),
        ("text._domainkey.shop.test", Record::Txt(&["some text"])),
        ("two.test", Record::Txt(&["v=spf1 a -all"])),
        ("two.test", Record::Txt(&["v=SPF1"])),
        ("two.test", Record::Txt(&["v=spf10 not this"])),
    ];
    let resolver = Resolver::at(zone(zone_of).await);
    let is = |text: &str| Policy::Is(text.to_owned());
    let shop = policy::look(&resolver, "shop.test", Some("s1")).await;
    assert_eq!((shop.spf, shop.dmarc), (is("v=spf1 mx -all"), is("v=DMARC1; p=reject")));
    assert_eq!(shop.dkim, Some(is("v=DKIM1; k=rsa; p=MIIB")));
    let below = policy::look(&resolver, "mail.eu.shop.test", Some("s1")).await;
    assert_eq!((below.spf, below.dmarc, below.dkim), (Policy::None, is("v=DMARC1; p=reject"), Some(Policy::None)));
    for (selector, key) in [("gone", is("v=DKIM1; p=")), ("text", Policy::None), ("s2", Policy::None)] {
        assert_eq!(policy::look(&resolver, "shop.test", Some(selector)).await.dkim, Some(key), "{selector}");
    }
    let two = policy::look(&resolver, "two.test", None).await;
    assert_eq!((two.spf, two.dmarc, two.dkim), (Policy::Several(2), Policy::None, None));
    let nobody: SocketAddr = "127.0.0.1:1".parse().unwrap();
    assert!(matches!(policy::look(&Resolver::at(nobody), "shop.test", None).await.spf, Policy::Unknown(_)));
}
