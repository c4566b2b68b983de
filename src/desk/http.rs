//! One HTTP exchange: bounded in time and size, never to a host that is not listed.

use super::create::Page;
use super::jar::Jar;
use super::transcript::{Player, Tap};
use crate::config::DeskSettings;
pub(crate) use crate::exchange::place;
use reqwest::header::{COOKIE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Certificate, Client, Method, StatusCode, Url};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The largest answer that is read, after decompression.
/// The largest attachment of a probe (10 MiB) fits in, also as base64 in JSON.
pub(crate) const MAX_BODY: usize = 16 * 1024 * 1024;
/// Redirects of a GET that are followed within one host.
const MAX_REDIRECTS: usize = 5;
const CONNECT: Duration = Duration::from_secs(10);

/// The clients of one desk.
#[derive(Debug)]
pub(crate) struct Http {
    way: Way,
    timeout: Duration,
    /// Listens to every call.
    tap: Option<Arc<Tap>>,
}

/// Where answers come from.
#[derive(Debug)]
enum Way {
    Live {
        reading: Client,
        /// Without kept connections: a connection that died unnoticed would leave a write uncertain for no reason.
        writing: Client,
    },
    /// From a recording.
    Played(Arc<Player>),
}

/// A request, ready to go.
#[derive(Clone)]
pub(crate) struct Call {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Option<Vec<u8>>,
    pub writes: bool,
    /// Cookies that go with it, and into which those of the answer go.
    pub jar: Option<Arc<Jar>>,
    /// How long it may take, where that is not what the desk's settings say.
    pub timeout: Option<Duration>,
    /// The page on which a browser would make this call.
    pub page: Option<Arc<Page>>,
}

impl Call {
    /// A GET without anything.
    pub fn get(url: Url) -> Call {
        Call { method: Method::GET, url, headers: HeaderMap::new(), body: None, writes: false, jar: None, timeout: None, page: None }
    }

    /// The headers with the cookies for its URL.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = self.headers.clone();
        if let Some(cookies) = self.jar.as_ref().and_then(|jar| jar.header(&self.url)) {
            headers.insert(COOKIE, cookies);
        }
        headers
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub url: Url,
    /// How long it took.
    pub took: Duration,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Nothing reached the desk: name, connection or TLS failed.
    NotSent(String),
    /// The request left; what became of it is not known.
    Unknown { text: String, timed_out: bool },
    /// The desk wants us elsewhere, or sends too much.
    Refused(String),
}

impl Http {
    /// Clients for one desk; `plain` when its address is http. The error says what to change.
    pub fn new(settings: &DeskSettings, loopback: bool) -> Result<Http, String> {
        // Somebody else may have installed it before us: that is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let certificates = match &settings.ca {
            None => None,
            Some(path) => {
                let pem = std::fs::read(path).map_err(|e| format!("cannot read the CA file {}: {e}", path.display()))?;
                let found = Certificate::from_pem_bundle(&pem).map_err(|e| format!("{} holds no PEM certificates: {e}", path.display()))?;
                if found.is_empty() {
                    return Err(format!("{} holds no PEM certificates", path.display()));
                }
                Some(found)
            }
        };
        let connect = CONNECT.min(settings.timeout / 2).max(Duration::from_millis(1));
        let build = |idle: usize| {
            let mut builder = Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .connect_timeout(connect)
                .pool_max_idle_per_host(idle)
                .user_agent(concat!("replypath/", env!("CARGO_PKG_VERSION")));
            if loopback {
                builder = builder.no_proxy();
            }
            if let Some(certificates) = &certificates {
                builder = builder.tls_certs_only(certificates.clone());
            }
            builder.build().map_err(|e| format!("cannot set up HTTPS: {}", told(&e)))
        };
        Ok(Http { way: Way::Live { reading: build(4)?, writing: build(0)? }, timeout: settings.timeout, tap: None })
    }

    /// Answers from a recording, without any network.
    pub fn replay(player: Arc<Player>) -> Http {
        Http { way: Way::Played(player), timeout: Duration::ZERO, tap: None }
    }

    /// The same, with somebody who listens.
    #[must_use]
    pub fn tapped(self, tap: Arc<Tap>) -> Http {
        Http { tap: Some(tap), ..self }
    }

    /// Sends a call whose answer stays open: a stream or a socket. Only its head is waited for; it is not redirected.
    pub async fn open(&self, call: &Call) -> Result<reqwest::Response, Lost> {
        let Way::Live { writing, .. } = &self.way else {
            return Err(Lost::Refused("streams and sockets are not recorded".to_owned()));
        };
        let request = writing.request(call.method.clone(), call.url.clone()).headers(call.headers());
        let within = call.timeout.unwrap_or(self.timeout);
        let answer = tokio::time::timeout(within, request.send()).await;
        let answer = answer.map_err(|_| Lost::Unknown { text: "no answer in time".to_owned(), timed_out: true })?.map_err(lost)?;
        if let Some(jar) = &call.jar {
            jar.take(answer.url(), answer.headers());
        }
        Ok(answer)
    }

    /// Sends a call. A GET is tried a second time when its connection broke, and follows redirects within its host.
    pub async fn send(&self, call: &Call, allows: &(dyn Fn(&Url) -> bool + Sync)) -> Result<Reply, Lost> {
        let mut call = call.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = match self.once(&call).await {
                Err(Lost::Unknown { timed_out: false, .. }) if call.method == Method::GET => self.once(&call).await?,
                other => other?,
            };
            let Some(target) = redirect(&call, &answer) else { return Ok(answer) };
            let url = answer.url.join(target).map_err(|e| Lost::Refused(format!("it redirects to no valid URL: {e}")))?;
            let same = url.host_str() == answer.url.host_str() && url.port_or_known_default() == answer.url.port_or_known_default();
            if !same || !allows(&url) {
                let secure = url.scheme() == "https" && answer.url.scheme() == "http" && url.host_str() == answer.url.host_str();
                let hint = if secure { "; write the desk's address with https" } else { "" };
                return Err(Lost::Refused(format!("it redirects to {}, which is not followed{hint}", place(&url))));
            }
            call.url = url;
        }
        Err(Lost::Refused("it redirects in a circle".to_owned()))
    }

    async fn once(&self, call: &Call) -> Result<Reply, Lost> {
        let answer = match &self.way {
            Way::Live { reading, writing } => self.live(if call.writes { writing } else { reading }, call).await,
            Way::Played(player) => player.answer(call),
        };
        if let Some(tap) = &self.tap {
            tap.note(call, answer.as_ref().ok());
        }
        answer
    }

    async fn live(&self, client: &Client, call: &Call) -> Result<Reply, Lost> {
        let began = Instant::now();
        let mut request =
            client.request(call.method.clone(), call.url.clone()).headers(call.headers()).timeout(call.timeout.unwrap_or(self.timeout));
        if let Some(body) = &call.body {
            request = request.body(body.clone());
        }
        let mut answer = request.send().await.map_err(lost)?;
        if let Some(jar) = &call.jar {
            jar.take(answer.url(), answer.headers());
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(Lost::Refused(format!("its answer is larger than {} MiB", MAX_BODY / 1024 / 1024)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status: answer.status(), headers: answer.headers().clone(), url: answer.url().clone(), body, took: began.elapsed() })
    }
}

fn redirect<'a>(call: &Call, answer: &'a Reply) -> Option<&'a str> {
    let moved = matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308);
    (moved && call.method == Method::GET).then(|| answer.headers.get(LOCATION).and_then(|l| HeaderValue::to_str(l).ok())).flatten()
}

pub(crate) fn lost(error: reqwest::Error) -> Lost {
    let text = told(&error);
    if error.is_connect() || error.is_builder() {
        return Lost::NotSent(text);
    }
    Lost::Unknown { text, timed_out: error.is_timeout() }
}

/// The error's causes; a missing answer by its own words.
fn told(error: &reqwest::Error) -> String {
    if error.is_timeout() && !error.is_connect() { "no answer in time".to_owned() } else { crate::exchange::causes(error) }
}
