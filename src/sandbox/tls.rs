//! Certificates of the desk's mail server: an authority of the sandbox's own, made anew at each start, and what it signs
//! (RFC 5280 in DER, ECDSA on P-256).

use super::Error;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::net::Ipv4Addr;
use std::sync::Arc;

const DAY: i64 = 24;
const ECDSA_WITH_SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];
const EC_PUBLIC_KEY: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
const P256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const KEY_USAGE: &[u8] = &[0x55, 0x1D, 0x0F];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1D, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1D, 0x13];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1D, 0x25];
const SERVER_AUTH: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const UTF8: u8 = 0x0C;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// The certificates of one sandbox.
pub(crate) struct Certificates {
    /// The authority in PEM.
    pub(crate) authority: String,
    pub(crate) good: Arc<ServerConfig>,
    /// Another key and another certificate, as valid.
    pub(crate) renewed: Arc<ServerConfig>,
    /// Ended three days ago.
    pub(crate) expired: Arc<ServerConfig>,
}

impl Certificates {
    /// Makes them for a host, also reached by its loopback address.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub(crate) fn new(host: &str, now: Timestamp) -> Result<Certificates, Error> {
        let ends = |from: i64, to: i64| [hours(now, from * DAY), hours(now, to * DAY)];
        let authority = Signer::new("Sandbox authority")?;
        let root = authority.sign(&Wanted { name: authority.name, key: &authority.key, ends: ends(-40, 400), serial: 1, hosts: &[] })?;
        let leaf = |serial: u8, ends: [Timestamp; 2]| -> Result<Arc<ServerConfig>, Error> {
            let own = Signer::new("")?;
            let hosts = [host, "localhost"];
            let certificate = authority.sign(&Wanted { name: host, key: &own.key, ends, serial, hosts: &hosts })?;
            let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|_| Error::Certificates)?
                .with_no_client_auth()
                .with_single_cert(vec![CertificateDer::from(certificate)], PrivatePkcs8KeyDer::from(own.secret).into())
                .map_err(|_| Error::Certificates)?;
            Ok(Arc::new(config))
        };
        Ok(Certificates {
            authority: pem(&root),
            good: leaf(2, ends(-20, 60))?,
            renewed: leaf(3, ends(-1, 90))?,
            expired: leaf(4, ends(-93, -3))?,
        })
    }
}

fn hours(now: Timestamp, by: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_hours(by)).unwrap_or(now)
}

fn pem(der: &[u8]) -> String {
    let coded = STANDARD.encode(der);
    let lines: Vec<&str> = coded.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// A key pair with the name under which it signs.
struct Signer {
    name: &'static str,
    key: EcdsaKeyPair,
    /// PKCS #8.
    secret: Vec<u8>,
}

/// What is to be certified.
struct Wanted<'a> {
    name: &'a str,
    key: &'a EcdsaKeyPair,
    /// First and last moment.
    ends: [Timestamp; 2],
    serial: u8,
    /// None: an authority.
    hosts: &'a [&'a str],
}

impl Signer {
    fn new(name: &'static str) -> Result<Signer, Error> {
        let random = SystemRandom::new();
        let secret = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).map_err(|_| Error::Certificates)?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, secret.as_ref(), &random).map_err(|_| Error::Certificates)?;
        Ok(Signer { name, key, secret: secret.as_ref().to_vec() })
    }

    /// A certificate in DER.
    fn sign(&self, wanted: &Wanted<'_>) -> Result<Vec<u8>, Error> {
        let algorithm = der(SEQUENCE, &[&der(OID, &[ECDSA_WITH_SHA256])]);
        let curve = der(SEQUENCE, &[&der(OID, &[EC_PUBLIC_KEY]), &der(OID, &[P256])]);
        let public = der(SEQUENCE, &[&curve, &der(BIT_STRING, &[&[0], wanted.key.public_key().as_ref()])]);
        let [from, to] = wanted.ends.map(time);
        let facts = der(
            SEQUENCE,
            &[
                &der(0xA0, &[&der(INTEGER, &[&[2]])]),
                &der(INTEGER, &[&[wanted.serial]]),
                &algorithm,
                &name(self.name),
                &der(SEQUENCE, &[&from, &to]),
                &name(wanted.name),
                &public,
                &der(0xA3, &[&extensions(wanted.hosts)]),
            ],
        );
        let signature = self.key.sign(&SystemRandom::new(), &facts).map_err(|_| Error::Certificates)?;
        Ok(der(SEQUENCE, &[&facts, &algorithm, &der(BIT_STRING, &[&[0], signature.as_ref()])]))
    }
}

fn extensions(hosts: &[&str]) -> Vec<u8> {
    if hosts.is_empty() {
        let constraints = der(SEQUENCE, &[&[0x01, 0x01, 0xFF]]);
        return der(SEQUENCE, &[&extension(BASIC_CONSTRAINTS, &constraints), &extension(KEY_USAGE, &[BIT_STRING, 2, 1, 0x06])]);
    }
    let mut names: Vec<Vec<u8>> = hosts.iter().map(|host| der(0x82, &[host.as_bytes()])).collect();
    names.push(der(0x87, &[&Ipv4Addr::LOCALHOST.octets()]));
    let purpose = der(SEQUENCE, &[&der(OID, &[SERVER_AUTH])]);
    der(
        SEQUENCE,
        &[
            &extension(KEY_USAGE, &[BIT_STRING, 2, 7, 0x80]),
            &extension(EXTENDED_KEY_USAGE, &purpose),
            &extension(ALTERNATIVE_NAMES, &der(SEQUENCE, &[&names.concat()])),
        ],
    )
}

fn extension(id: &[u8], value: &[u8]) -> Vec<u8> {
    der(SEQUENCE, &[&der(OID, &[id]), &der(OCTET_STRING, &[value])])
}

fn name(common: &str) -> Vec<u8> {
    der(SEQUENCE, &[&der(SET, &[&der(SEQUENCE, &[&der(OID, &[COMMON_NAME]), &der(UTF8, &[common.as_bytes()])])])])
}

/// UTCTime: right until 2049 (RFC 5280 section 4.1.2.5.1).
fn time(at: Timestamp) -> Vec<u8> {
    der(UTC_TIME, &[at.to_zoned(TimeZone::UTC).strftime("%y%m%d%H%M%SZ").to_string().as_bytes()])
}

/// One element of DER.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match content.len() {
        short @ 0..0x80 => out.push(short as u8),
        long => {
            let bytes: Vec<u8> = long.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
            out.push(0x80 | bytes.len() as u8);
            out.extend(bytes);
        }
    }
    out.extend(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{ServerName, UnixTime};
    use std::time::Duration;

    #[test]
    fn a_verifier_takes_the_good_ones_and_refuses_the_expired_one() {
        let now = "2026-11-25T12:00:00Z".parse::<Timestamp>().unwrap();
        let authority = Signer::new("Sandbox authority").unwrap();
        let own = Signer::new("").unwrap();
        let leaf = |from: i64, to: i64| {
            let ends = [hours(now, from * DAY), hours(now, to * DAY)];
            let wanted = Wanted { name: "mx.desk.test", key: &own.key, ends, serial: 9, hosts: &["mx.desk.test"] };
            CertificateDer::from(authority.sign(&wanted).unwrap())
        };
        let ends = [hours(now, -DAY), hours(now, DAY)];
        let root = authority.sign(&Wanted { name: authority.name, key: &authority.key, ends, serial: 1, hosts: &[] }).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pem(&root).as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let at = UnixTime::since_unix_epoch(Duration::from_secs(now.as_second() as u64));
        let verify = |certificate: &CertificateDer<'_>, host: &'static str| {
            verifier.verify_server_cert(certificate, &[], &ServerName::try_from(host).unwrap(), &[], at)
        };
        verify(&leaf(-1, 1), "mx.desk.test").unwrap();
        verify(&leaf(-1, 1), "127.0.0.1").unwrap();
        assert!(verify(&leaf(-1, 1), "mx.other.test").is_err());
        let error = verify(&leaf(-9, -3), "mx.desk.test").unwrap_err().to_string();
        assert!(error.contains("expired"), "{error}");
        Certificates::new("mx.desk.test", now).unwrap();
    }
}
