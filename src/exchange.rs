//! How an HTTP exchange is told to people: nothing of it that must not be shown.

use reqwest::Url;
use std::error::Error;

/// An error's causes, without the error's own line, in which the URL stands: its query may hold what must not be shown.
pub fn causes(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause: Option<&dyn Error> = Error::source(error);
    while let Some(inner) = cause {
        let line = inner.to_string();
        if !text.contains(&line) {
            text = if text.is_empty() { line } else { format!("{text}: {line}") };
        }
        cause = inner.source();
    }
    if text.is_empty() { "the exchange failed".to_owned() } else { text }
}

/// A URL without query, user and password.
pub fn place(url: &Url) -> String {
    let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}
