//! Finished runs as traces, sent over OTLP (HTTP with JSON) where the environment names a collector.
//!
//! The variables are those of the OpenTelemetry specification ("OTLP Exporter Configuration"): `OTEL_EXPORTER_OTLP_ENDPOINT`
//! or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME`. Nothing waits for the collector:
//! while it does not answer, traces are kept in a short queue and then dropped, with a word in the log.

pub mod document;

use crate::engine::ports::RunEvent;
use crate::model::Run;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;
use tokio::sync::mpsc;

/// Traces that wait for the collector.
const QUEUE: usize = 256;
/// For one request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Before a request is tried again; each time doubled.
const PAUSE: Duration = Duration::from_secs(1);
/// So often one trace is sent at most.
const TRIES: u32 = 4;

/// Where traces go.
#[derive(Debug, Clone)]
pub struct Collector {
    url: reqwest::Url,
    /// May hold a key: every value is marked as sensitive, so that it is never printed.
    headers: HeaderMap,
    service: String,
}

impl Collector {
    /// The collector that the environment names; none when it names none.
    ///
    /// # Errors
    /// What is wrong with which variable; no value of a header is told.
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> Result<Option<Collector>, String> {
        let env = |name: &str| env(name).filter(|value| !value.trim().is_empty());
        let whole = env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").map(|url| ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url));
        let base = || {
            let base = env("OTEL_EXPORTER_OTLP_ENDPOINT")?;
            Some(("OTEL_EXPORTER_OTLP_ENDPOINT", format!("{}/v1/traces", base.trim_end_matches('/'))))
        };
        let Some((name, url)) = whole.or_else(base) else { return Ok(None) };
        let url = reqwest::Url::parse(&url).ok().filter(|u| matches!(u.scheme(), "http" | "https"));
        let url = url.ok_or_else(|| format!("{name} is no web address"))?;
        let headers = headers(&env("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default())?;
        let service = env("OTEL_SERVICE_NAME").unwrap_or_else(|| "replypath".to_owned());
        Ok(Some(Collector { url, headers, service }))
    }

    /// Sends the traces of all runs whose end is told to it.
    ///
    /// # Errors
    /// When no client for HTTP can be made.
    pub fn listen(self) -> Result<mpsc::UnboundedSender<RunEvent>, String> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).build().map_err(|e| format!("traces cannot be sent: {e}"))?;
        let (tap, mut events) = mpsc::unbounded_channel();
        let (queue, mut runs) = mpsc::channel::<Box<Run>>(QUEUE);
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if let RunEvent::Finished(run) = event
                    && let Err(error) = queue.try_send(run)
                {
                    tracing::warn!(%error, "a trace is dropped: the collector is too slow or does not answer");
                }
            }
        });
        tokio::spawn(async move {
            while let Some(run) = runs.recv().await {
                if let Err(error) = self.send(&client, &run).await {
                    tracing::warn!(probe = %run.probe.name, run = %run.id, "a trace could not be sent: {error}");
                }
            }
        });
        Ok(tap)
    }

    async fn send(&self, client: &reqwest::Client, run: &Run) -> Result<(), String> {
        let Some(body) = document::request(run, &self.service) else { return Ok(()) };
        let mut pause = PAUSE;
        for left in (0..TRIES).rev() {
            let sent = client.post(self.url.clone()).headers(self.headers.clone()).json(&body).send().await;
            let again = match sent {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) if !may_be_repeated(answer.status()) => return Err(format!("the collector refused it: {}", answer.status())),
                Ok(answer) => format!("the collector says {}", answer.status()),
                // Without the address, which may hold a password.
                Err(error) => error.without_url().to_string(),
            };
            if left == 0 {
                return Err(again);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Ok(())
    }
}

/// The answers after which OTLP allows another try.
fn may_be_repeated(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// `key=value,key2=value2` with percent-encoded values.
fn headers(text: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (number, pair) in text.split(',').filter(|p| !p.trim().is_empty()).enumerate() {
        let wrong = || format!("header {} of OTEL_EXPORTER_OTLP_HEADERS is not `name=value`", number + 1);
        let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
        let name = HeaderName::try_from(name.trim()).map_err(|_| wrong())?;
        let mut value = decoded(value.trim()).and_then(|bytes| HeaderValue::from_bytes(&bytes).ok()).ok_or_else(wrong)?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Percent-encoding undone (RFC 3986 section 2.1).
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(others.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &others[2..];
        } else {
            bytes.push(*first);
            rest = others;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use axum::extract::State;
    use axum::http::HeaderMap as Headers;
    use axum::{Json, Router, routing::post};
    use serde_json::Value;
    use std::sync::{Arc, Mutex};

    fn of(pairs: &[(&str, &str)]) -> Result<Option<Collector>, String> {
        Collector::from_env(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_environment_names_the_collector_and_no_secret_is_printed() {
        assert!(of(&[]).unwrap().is_none() && of(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]).unwrap().is_none());
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        let keys = ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cret, x-tenant=a");
        let collector = of(&[base, keys]).unwrap().unwrap();
        assert_eq!((collector.url.as_str(), collector.service.as_str()), ("http://collector:4318/v1/traces", "replypath"));
        assert_eq!(collector.headers["authorization"].as_bytes(), b"Bearer s3cret");
        assert!(!format!("{collector:?}").contains("s3cret"));
        let whole = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://other/in");
        let collector = of(&[base, whole, ("OTEL_SERVICE_NAME", "watch")]).unwrap().unwrap();
        assert_eq!((collector.url.as_str(), collector.service.as_str()), ("https://other/in", "watch"));
        for headers in ["nothing", "a b=c", "a=%zz", "a=%0a"] {
            let error = of(&[base, ("OTEL_EXPORTER_OTLP_HEADERS", headers)]).unwrap_err();
            assert_eq!(error, "header 1 of OTEL_EXPORTER_OTLP_HEADERS is not `name=value`", "{headers}");
        }
        assert!(of(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")]).unwrap_err().contains("no web address"));
    }

    type Seen = Arc<Mutex<Vec<(Option<String>, Value)>>>;

    /// Refuses the first request for now.
    async fn take(State(seen): State<Seen>, headers: Headers, Json(body): Json<Value>) -> StatusCode {
        let mut seen = seen.lock().unwrap();
        seen.push((headers.get("x-key").and_then(|v| v.to_str().ok()).map(str::to_owned), body));
        if seen.len() == 1 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    }

    #[tokio::test]
    async fn a_finished_run_is_sent_and_sent_again_when_the_collector_is_busy() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let seen = Seen::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().route("/v1/traces", post(take)).with_state(seen.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let tap = of(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &address), ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=k")]).unwrap().unwrap();
        let tap = tap.listen().unwrap();
        tap.send(RunEvent::Started(Box::new(sample::running("r-1", "a")))).unwrap();
        tap.send(RunEvent::Finished(Box::new(sample::failed()))).unwrap();
        let twice = async {
            while seen.lock().unwrap().len() < 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), twice).await.unwrap();
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), 2);
        for (key, body) in seen.iter() {
            assert_eq!(key.as_deref(), Some("k"));
            assert_eq!(*body, document::request(&sample::failed(), "replypath").unwrap());
        }
    }

    #[test]
    fn only_answers_that_may_pass_are_tried_again() {
        let again = |code: u16| may_be_repeated(StatusCode::from_u16(code).unwrap());
        assert!([429, 502, 503, 504].into_iter().all(again) && ![400, 401, 404, 413, 500].into_iter().any(again));
    }
}
