//! The daemon's HTTP side for programs that watch it: `/metrics`, `/healthz`, `/readyz`. The pages are in [`crate::page`].

use crate::clock::Clock;
use crate::metrics::{self, Metrics};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

/// The scheduler counts as stuck when it has not looked for due probes for so long.
pub const READY_WITHIN: Duration = Duration::from_secs(120);

/// When the scheduler last looked: the bridge between the loop and `/readyz`.
#[derive(Debug, Default)]
pub struct Pulse(AtomicI64);

impl Pulse {
    /// The scheduler looked.
    pub fn beat(&self, now: Timestamp) {
        self.0.store(now.as_microsecond(), Ordering::Relaxed);
    }

    /// How long ago that was; none before the first look.
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            last => Some(Duration::from_micros(u64::try_from(now.as_microsecond() - last).unwrap_or(0))),
        }
    }
}

/// What the answers are made from.
#[derive(Clone)]
pub struct Site {
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// The scheduler's pulse.
    pub pulse: Arc<Pulse>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// What programs ask for.
pub fn router(site: Site) -> Router {
    Router::new().route("/metrics", get(exposition)).route("/healthz", get(async || "ok\n")).route("/readyz", get(ready)).with_state(site)
}

/// Serves these routes until `stop` returns; then answers in hand are finished.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(listener: TcpListener, routes: Router, stop: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
    axum::serve(listener, routes).with_graceful_shutdown(stop).await
}

async fn exposition(State(site): State<Site>) -> Response {
    match site.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("the metrics cannot be written: {error}\n")).into_response(),
    }
}

async fn ready(State(site): State<Site>) -> (StatusCode, String) {
    match site.pulse.age(site.clock.now()) {
        Some(age) if age < READY_WITHIN => (StatusCode::OK, "ready\n".to_owned()),
        Some(age) => (StatusCode::SERVICE_UNAVAILABLE, format!("the scheduler last looked for due probes {} s ago\n", age.as_secs())),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the scheduler has not begun\n".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::report::sample;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn ask(site: &Site, path: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = tokio::spawn(serve(listener, router(site.clone()), async {
            let _ = stopped.await;
        }));
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        drop(stop);
        server.await.unwrap().unwrap();
        answer
    }

    #[tokio::test]
    async fn metrics_come_with_the_content_type_that_prometheus_asks_for() {
        let clock = Arc::new(ManualClock::new(sample::at(0)));
        let site = Site { metrics: Arc::new(Metrics::new().unwrap()), pulse: Arc::default(), clock };
        let answer = ask(&site, "/metrics").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{answer}");
        assert!(answer.contains("\nreplypath_build_info{"), "{answer}");
    }

    #[tokio::test]
    async fn ready_means_that_the_scheduler_looked_within_two_minutes() {
        let clock = Arc::new(ManualClock::new(sample::at(0)));
        let site = Site { metrics: Arc::new(Metrics::new().unwrap()), pulse: Arc::default(), clock: clock.clone() };
        assert!(ask(&site, "/readyz").await.starts_with("HTTP/1.1 503"));
        site.pulse.beat(clock.now());
        clock.advance(Duration::from_secs(119));
        assert!(ask(&site, "/readyz").await.starts_with("HTTP/1.1 200"));
        clock.advance(Duration::from_secs(1));
        let answer = ask(&site, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("120 s ago"), "{answer}");
        assert!(ask(&site, "/healthz").await.starts_with("HTTP/1.1 200"));
    }
}
