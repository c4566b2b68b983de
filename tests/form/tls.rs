//! Certificates that browsers refuse are named; what only we do not trust proves nothing.

use crate::server::*;
use replypath::engine::ways::Stop;
use replypath::form::PageForms;
use replypath::model::Outcome;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

fn trusting() -> PageForms {
    forms().trusting(include_bytes!("tls/ca.pem")).unwrap()
}

/// A server with that certificate, which shows a form that goes to `action`.
async fn secure(certificate: &str, action: &str) -> u16 {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/form/tls");
    let chain = vec![CertificateDer::from_pem_file(folder.join(certificate)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let page = contact_to(action, "");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, page) = (acceptor.clone(), page.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut bytes = [0u8; 16 * 1024];
                let got = stream.read(&mut bytes).await.unwrap_or(0);
                let posted = bytes[..got].starts_with(b"POST");
                let _ = stream.write_all(&if posted { html("Thank you") } else { html(&page) }).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    port
}

async fn loads(certificate: &str) -> Stop {
    let port = secure(certificate, "/send").await;
    stopped_by(&trusting(), &order(format!("https://localhost:{port}/contact"))).await
}

#[tokio::test]
async fn a_good_certificate_lets_the_form_through() {
    let port = secure("good.pem", "/send").await;
    let thanks = send_by(&trusting(), &order(format!("https://localhost:{port}/contact"))).await.unwrap();
    assert_eq!(thanks.text, "Thank you");
}

#[tokio::test]
async fn certificates_that_browsers_refuse_are_what_customers_meet() {
    for (certificate, words) in [
        ("expired.pem", "the certificate of localhost has run out"),
        ("early.pem", "the certificate of localhost is not valid yet"),
        ("other-name.pem", "the certificate of localhost is for another name"),
    ] {
        let stop = loads(certificate).await;
        assert_eq!(
            (stop.outcome, stop.faults.as_slice(), stop.no_effect),
            (Outcome::Fail, ["form-tls-broken"].as_slice(), true),
            "{stop:?}"
        );
        assert_eq!((stop.found.as_str(), &stop.seen.facts["failed_at"]), (words, &"certificate".into()));
    }
}

#[tokio::test]
async fn an_authority_that_only_we_do_not_know_proves_nothing() {
    let stop = loads("other-authority.pem").await;
    assert_eq!((stop.outcome, stop.faults[0]), (Outcome::Unknown, "form-tls-broken"), "{stop:?}");
    assert!(stop.found.contains("authority that this machine does not trust") && stop.advice.is_some(), "{}", stop.found);
    // No TLS at all behind https.
    let plain = site(contact(""), html("Thanks")).await;
    let stop = stopped(&order(format!("https://127.0.0.1:{}/", plain.port))).await;
    assert_eq!(stop.outcome, Outcome::Unknown, "{stop:?}");
}

#[tokio::test]
async fn a_form_whose_target_has_a_bad_certificate_took_nothing() {
    let bad = secure("expired.pem", "/").await;
    let port = secure("good.pem", &format!("https://localhost:{bad}/send")).await;
    let stop = send_by(&trusting(), &order(format!("https://localhost:{port}/contact"))).await.unwrap_err();
    assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (Outcome::Fail, "form-tls-broken", true), "{stop:?}");
}

#[test]
fn a_file_without_certificates_is_refused() {
    assert!(forms().trusting(b"hello").is_err());
}
