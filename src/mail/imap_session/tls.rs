//! Whom to trust: the system's authorities, or only those of a PEM file. One configuration serves all mailboxes.

use crate::engine::ports::Trouble;
use crate::model::ResultClass;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// TLS configurations by authority file; the system's roots are read once.
#[derive(Debug, Default)]
pub struct TlsConfigs(Mutex<HashMap<Option<PathBuf>, Arc<ClientConfig>>>);

impl TlsConfigs {
    /// The configuration for an authority file, or for the system's roots.
    ///
    /// # Errors
    /// [`Trouble`] when the file cannot be read, holds no certificate, or the system has no roots.
    pub fn get(&self, ca: Option<&Path>) -> Result<Arc<ClientConfig>, Trouble> {
        let mut known = self.0.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(config) = known.get(&ca.map(Path::to_owned)) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(build(ca)?);
        known.insert(ca.map(Path::to_owned), Arc::clone(&config));
        Ok(config)
    }

    /// Forgets everything, so that changed files are read again.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).clear();
    }
}

fn build(ca: Option<&Path>) -> Result<ClientConfig, Trouble> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| trouble(format!("TLS cannot be set up: {e}")))?;
    match ca {
        Some(path) => {
            let unreadable = |e: &dyn std::fmt::Display| {
                trouble(format!("ca file {}: {e}; give a PEM file with the authority's certificate", path.display()))
            };
            let mut roots = RootCertStore::empty();
            for cert in CertificateDer::pem_file_iter(path).map_err(|e| unreadable(&e))? {
                roots.add(cert.map_err(|e| unreadable(&e))?).map_err(|e| unreadable(&e))?;
            }
            if roots.is_empty() {
                return Err(unreadable(&"no certificate in it"));
            }
            Ok(builder.with_root_certificates(roots).with_no_client_auth())
        }
        None => Ok(builder
            .with_platform_verifier()
            .map_err(|e| trouble(format!("the system's certificate authorities cannot be used: {e}; install ca-certificates or set `ca`")))?
            .with_no_client_auth()),
    }
}

fn trouble(message: String) -> Trouble {
    Trouble::new(ResultClass::Unavailable, "mailbox-unavailable", message)
}

/// What is wrong with the server's certificate and what to do; none when `error` is about something else.
pub fn certificate_problem(error: &io::Error, name: &str) -> Option<String> {
    let inner = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let rustls::Error::InvalidCertificate(problem) = inner else { return None };
    Some(match problem {
        CertificateError::UnknownIssuer => {
            "its certificate was issued by an unknown authority; set `ca` to the authority's PEM file if it is a private one".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired; the server's operator must renew it".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; compare this machine's clock with the server's".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is for another name than {name}; set `tls_name` to the name in the certificate")
        }
        CertificateError::Revoked => "its certificate was revoked; the server's operator must replace it".to_owned(),
        other => format!("its certificate is not acceptable: {}", rustls::Error::InvalidCertificate(other.clone())),
    })
}
