//! What every test of the browser needs.

use replypath::browser::{BrowserSettings, Browsers};
use replypath::clock::{Clock, SystemClock};
use replypath::engine::ports::MailEvent;
use replypath::engine::ways::{Customer, FormOrder};
use replypath::model::{FieldBy, Fill, FormBy, FormChannel, FormField, RunId, TokenKey};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// True when this machine has both programs; else the test says that it is skipped.
pub fn here() -> bool {
    let in_path = |name: &str| std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|p| p.join(name).is_file());
    let here = in_path("chromium") && in_path("chromedriver");
    if !here {
        println!("skipped: chromium is not installed");
    }
    here
}

pub fn key() -> TokenKey {
    TokenKey::new(b"browser tests")
}

pub struct Kit {
    pub browsers: Arc<Browsers>,
    pub evidence: tempfile::TempDir,
    pub events: mpsc::Receiver<MailEvent>,
}

pub fn kit(at_once: usize) -> Kit {
    kit_with(at_once, Arc::new(SystemClock), None)
}

pub fn kit_with(at_once: usize, clock: Arc<dyn Clock>, chromium: Option<&Path>) -> Kit {
    let evidence = tempfile::tempdir().expect("a folder");
    let (events, heard) = mpsc::channel(100);
    let settings = BrowserSettings { chromium: chromium.map(Path::to_owned), driver: None, at_once, evidence: evidence.path().to_owned() };
    Kit { browsers: Arc::new(Browsers::new(settings, key(), clock, events)), evidence, events: heard }
}

/// An order for a form on that page.
pub fn order(run: &str, page: String, frame: &[&str]) -> FormOrder {
    let token = key().token(run, "send");
    FormOrder {
        run: RunId(run.to_owned()),
        probe: "form".to_owned(),
        desk: None,
        customer: Customer { address: "ada@customers.test".to_owned(), name: "Ada Lovelace".to_owned() },
        form: FormChannel {
            page: Some(page),
            by: FormBy::Browser { frame: frame.iter().map(|f| (*f).to_owned()).collect(), limit: Duration::from_secs(60) },
            subject: format!("Parcel {token}"),
            text: format!("Grüße 😀 from {token}\nsecond line"),
            fields: Vec::new(),
            attachments: Vec::new(),
            attachments_in: None,
            form: None,
            submit: None,
            thanks: None,
            number: None,
            dwell: Duration::ZERO,
        },
        token,
    }
}

pub fn field(by: FieldBy, fill: Fill) -> FormField {
    FormField { by, fill }
}
