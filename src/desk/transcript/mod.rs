//! Transcripts: what a live desk was asked and answered, without secrets and strangers, to be played again without the desk.
//!
//! A replay shows that a changed definition still reads the same from the same answers. It proves nothing about the product.

mod document;
mod operation;
mod player;
mod record;
mod redact;
mod replay;

pub use document::Transcript;
pub use operation::{Asked, Operation};
pub use record::{Recorded, Subject, record};
pub use replay::{Difference, replay};

pub(crate) use player::Player;
pub(crate) use record::Tap;

use crate::desk::http::Call;
use jiff::Timestamp;
use reqwest::Url;

/// What is drawn anew in every run and stays the same in a replay.
#[derive(Debug, Clone)]
pub(crate) struct Fixed {
    pub now: Timestamp,
    pub random: String,
}

/// A URL as it is compared: its query encoded in one way.
pub(crate) fn normal(url: &Url) -> Url {
    let mut url = url.clone();
    let pairs: Vec<(String, String)> = url.query_pairs().map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
    if !pairs.is_empty() {
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    url
}

/// The text of a call's body as it is compared: the line between the parts of a multipart body is drawn anew each time.
pub(crate) fn body_text(call: &Call) -> Option<String> {
    let body = call.body.as_ref()?;
    let text = String::from_utf8_lossy(body).into_owned();
    let kind = call.headers.get(reqwest::header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    Some(match kind.split_once("boundary=") {
        Some((_, boundary)) => text.replace(boundary.trim_matches('"'), "BOUNDARY"),
        None => text,
    })
}

#[cfg(test)]
mod tests;
