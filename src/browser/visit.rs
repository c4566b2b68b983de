//! One run's visit of a page: the session with what was seen on the way, and a picture where it ended badly.

use super::look::{Console, State};
use super::session::Session;
use super::trouble::{self, Broken};
use crate::engine::ways::{Seen, Stop};
use crate::model::{ResultClass, RunId};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Instant;
use thirtyfour::error::WebDriverErrorInner;

/// The folder for pictures below the state folder.
const PICTURES: &str = "screenshots";
/// Larger ones are taken again at a smaller scale.
const LARGEST: usize = 200_000;
const SCALES: [f64; 3] = [1.0, 0.5, 0.25];
/// Pictures that are kept; the oldest go first.
const MOST_PICTURES: usize = 200;

/// A visit.
pub(super) struct Visit {
    pub(super) session: Session,
    pub(super) seen: Seen,
    pub(super) console: Console,
    /// When the page was asked for.
    pub(super) began: Instant,
    run: RunId,
    evidence: PathBuf,
}

impl Visit {
    pub(super) fn new(session: Session, run: RunId, evidence: PathBuf) -> Visit {
        Visit { session, seen: Seen::default(), console: Console::default(), began: Instant::now(), run, evidence }
    }

    /// Notes a fact.
    pub(super) fn fact(&mut self, name: &str, value: impl Into<serde_json::Value>) {
        self.seen.facts.insert(name.to_owned(), value.into());
    }

    /// Milliseconds since the page was asked for.
    pub(super) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Opens a page of the web. The error says why there is none.
    pub(super) async fn open(&mut self, url: &str) -> Result<State, NoPage> {
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(NoPage::Unreachable("only http and https can be opened".to_owned()));
        }
        self.began = Instant::now();
        match self.session.go(url).await {
            Ok(()) => {}
            Err(Broken::Refused(error)) if is_no_page(&error) => return Err(NoPage::of(&error.to_string())),
            Err(broken) => return Err(NoPage::Broken(broken)),
        }
        let state = State::of(&self.session).await.map_err(NoPage::Broken)?;
        if state.no_page() {
            return Err(NoPage::of(&state.text));
        }
        self.fact("url", state.url.split(['?', '#']).next().unwrap_or_default());
        if let Some(status) = state.status {
            self.fact("status", status);
        }
        Ok(state)
    }

    /// Takes in what the console said since the last time.
    pub(super) async fn hear(&mut self) -> Result<Console, Broken> {
        let entries = self.session.console().await?;
        let mut new = Console::default();
        new.add(entries.clone());
        self.console.add(entries);
        Ok(new)
    }

    /// A stop with everything that was seen, and a picture.
    pub(super) async fn stopped(&mut self, mut stop: Stop, stage: &str) -> Stop {
        self.session.last_look();
        let _ = self.hear().await;
        if !self.console.severe.is_empty() {
            self.fact("console", json!(self.console.severe));
        }
        if self.seen.raw.is_none()
            && let Ok(state) = State::of(&self.session).await
        {
            self.seen.raw = Some(state.text.chars().take(4_000).collect());
        }
        if let Some(name) = self.picture(stage).await {
            self.fact("screenshot", name);
        }
        *stop.seen = self.seen.clone();
        stop
    }

    /// Takes a picture and gives its path below the state folder.
    async fn picture(&self, stage: &str) -> Option<String> {
        for scale in SCALES {
            let png = self.session.picture(scale).await.ok()?;
            if png.len() <= LARGEST {
                return keep(&self.evidence, &format!("{}-{stage}.png", self.run), &png).ok();
            }
        }
        None
    }
}

/// Writes a picture for its owner's eyes, and removes the oldest where there are too many.
fn keep(evidence: &Path, name: &str, png: &[u8]) -> std::io::Result<String> {
    let folder = evidence.join(PICTURES);
    let mut builder = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(&folder)?;
    let mut options = std::fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.write(true).create(true).truncate(true).open(folder.join(name))?;
    std::io::Write::write_all(&mut file, png)?;
    let mut old: Vec<_> = std::fs::read_dir(&folder)?
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().ends_with(".png"))
        .filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path())))
        .collect();
    old.sort();
    for (_, path) in old.iter().take(old.len().saturating_sub(MOST_PICTURES)) {
        let _ = std::fs::remove_file(path);
    }
    Ok(format!("{PICTURES}/{name}"))
}

/// Why there is no page.
pub(super) enum NoPage {
    /// The certificate is refused: Chromium's name of the error.
    Certificate(String),
    /// No answer, for whatever reason.
    Unreachable(String),
    /// The browser's own trouble.
    Broken(Broken),
}

impl NoPage {
    fn of(text: &str) -> NoPage {
        let name: String = match text.find("ERR_") {
            Some(at) => text[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect(),
            None => trouble::short(text, 100),
        };
        if name.starts_with("ERR_CERT") || name.starts_with("ERR_SSL") { NoPage::Certificate(name) } else { NoPage::Unreachable(name) }
    }

    /// As a stop, with the fault ids of the way in.
    pub(super) fn stop(self, certificate: &'static str, unreachable: &'static str) -> Stop {
        match self {
            NoPage::Certificate(name) => {
                Stop::failed(certificate, ResultClass::Unavailable, format!("Chromium refuses the certificate of the page: {name}"))
            }
            NoPage::Unreachable(name) => {
                Stop::unknown(unreachable, ResultClass::Unavailable, format!("Chromium cannot open the page: {name}"))
                    .passing()
                    .advice("open the page from another network; if it works there, look at DNS, firewall and proxy of this machine")
            }
            NoPage::Broken(broken) => broken.into(),
        }
    }
}

fn is_no_page(error: &WebDriverErrorInner) -> bool {
    error.to_string().contains("net::ERR_")
}
