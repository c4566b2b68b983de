//! The certificate that a server shows, and what a sender who checks it would say. Nothing is sent under its protection.

use crate::mail::wire::{OpenError, Wire};
use crate::mail::x509;
use crate::model::ExchangerSight;
use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Judges certificates by the system's authorities, or only by those of a PEM file.
#[derive(Debug)]
pub struct Judge {
    authorities: Option<PathBuf>,
    provider: Arc<CryptoProvider>,
    verifier: OnceLock<Result<Arc<dyn ServerCertVerifier>, String>>,
}

/// What a server showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// End of the certificate's validity.
    pub not_after: Option<Timestamp>,
    /// Why a sender who checks it would refuse: `expired`, `not valid yet`, `wrong name`, `unknown issuer`, `revoked`,
    /// `not acceptable`, `no STARTTLS`.
    pub refused: Option<String>,
}

impl Shown {
    /// What is told of a place, or why nothing is.
    pub fn at(place: &str, looked: Result<Shown, String>) -> ExchangerSight {
        let (shown, trouble) = match looked {
            Ok(shown) => (shown, None),
            Err(trouble) => (Shown::default(), Some(trouble)),
        };
        ExchangerSight { host: place.to_owned(), not_after: shown.not_after, refused: shown.refused, trouble }
    }
}

impl Judge {
    /// Authorities are read at the first look.
    pub fn new(authorities: Option<PathBuf>) -> Judge {
        Judge { authorities, provider: Arc::new(rustls::crypto::ring::default_provider()), verifier: OnceLock::new() }
    }

    /// Goes on to TLS on a connection and notes the certificate; `name` is the one that it must be for.
    ///
    /// # Errors
    /// In words, when no certificate was shown.
    pub async fn handshake(&self, name: &str, tcp: TcpStream, now: Timestamp) -> Result<Shown, String> {
        let verifier = self.verifier.get_or_init(|| verifier(self.authorities.as_deref(), &self.provider)).clone()?;
        let witness = Arc::new(Witness { verifier, seen: Mutex::default() });
        let config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| format!("TLS cannot be set up: {e}"))?
            .dangerous()
            .with_custom_certificate_verifier(witness.clone())
            .with_no_client_auth();
        let server = ServerName::try_from(name.to_owned()).map_err(|_| format!("`{name}` cannot stand in a certificate"))?;
        let shaken = TlsConnector::from(Arc::new(config)).connect(server, tcp).await;
        let seen = witness.seen.lock().unwrap_or_else(|e| e.into_inner()).take();
        match (seen, shaken) {
            (Some(Seen { der, refused: None }), Ok(_)) => Ok(shown(&der, None, now)),
            (Some(Seen { der, refused: Some(error) }), _) => Ok(shown(&der, Some(&error), now)),
            (_, Err(error)) => Err(format!("the TLS handshake failed ({error})")),
            (None, Ok(_)) => Err("the server showed no certificate".to_owned()),
        }
    }

    /// Asks a mail exchanger for STARTTLS (RFC 3207) and notes its certificate.
    ///
    /// # Errors
    /// In words, when it could not be looked at.
    pub async fn starttls(&self, name: &str, tcp: TcpStream, now: Timestamp) -> Result<Shown, String> {
        let mut wire = Wire::over(tcp).map_err(|e| e.to_string())?;
        match wire.start_tls().await {
            Ok(()) => {}
            Err(OpenError::NotOffered) => return Ok(Shown { not_after: None, refused: Some("no STARTTLS".to_owned()) }),
            Err(OpenError::Answered(code, text)) => return Err(format!("the server answers {code} {text}")),
            Err(OpenError::Io(error) | OpenError::Tls(error)) => return Err(error),
        }
        let tcp = wire.into_tcp().ok_or("TLS is on already")?;
        self.handshake(name, tcp, now).await
    }
}

/// A certificate beyond its end is called expired whatever else is wrong with it.
fn shown(der: &[u8], refused: Option<&rustls::Error>, now: Timestamp) -> Shown {
    let not_after = x509::not_after(der);
    let refused = match not_after {
        Some(end) if end < now => Some("expired"),
        _ => refused.map(words),
    };
    Shown { not_after, refused: refused.map(str::to_owned) }
}

fn words(error: &rustls::Error) -> &'static str {
    let rustls::Error::InvalidCertificate(problem) = error else { return "not acceptable" };
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "not valid yet",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "wrong name",
        CertificateError::UnknownIssuer => "unknown issuer",
        CertificateError::Revoked => "revoked",
        _ => "not acceptable",
    }
}

fn verifier(authorities: Option<&Path>, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, String> {
    let Some(path) = authorities else {
        let verifier = rustls_platform_verifier::Verifier::new(provider.clone())
            .map_err(|e| format!("the system's certificate authorities cannot be read: {e}; install ca-certificates"))?;
        return Ok(Arc::new(verifier));
    };
    let unusable = |e: &dyn std::fmt::Display| format!("the authorities in {} cannot be used: {e}", path.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| unusable(&e))? {
        roots.add(certificate.map_err(|e| unusable(&e))?).map_err(|e| unusable(&e))?;
    }
    let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().map_err(|e| unusable(&e))?;
    Ok(built)
}

/// The server's own certificate and the verdict on it.
#[derive(Debug)]
struct Seen {
    der: CertificateDer<'static>,
    refused: Option<rustls::Error>,
}

/// Lets another verifier judge, and keeps what was shown.
#[derive(Debug)]
struct Witness {
    verifier: Arc<dyn ServerCertVerifier>,
    seen: Mutex<Option<Seen>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let seen = Seen { der: end_entity.clone().into_owned(), refused: verdict.as_ref().err().cloned() };
        *self.seen.lock().unwrap_or_else(|e| e.into_inner()) = Some(seen);
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
