//! One browser session: a driver and a Chromium of its own with a fresh profile, within the time that a run has for it.

use super::tree::Tree;
use super::trouble::{self, Broken};
use crate::clock::Clock;
use crate::engine::ways::Stop;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thirtyfour::common::command::FormatRequestData;
use thirtyfour::error::{WebDriverError, WebDriverErrorInner, WebDriverResult};
use thirtyfour::{BrowserLogEntry, Capabilities, Key, RequestData, SessionId, WebDriver, WebElement, WindowHandle};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

/// Of a run's time with the browser, so much is kept for the picture of what went wrong.
const RESERVE: Duration = Duration::from_secs(3);
/// Answers of the driver are small; a page that keeps one this long hangs.
const ONE_CALL: Duration = Duration::from_secs(60);
const WIDTH: u32 = 1280;
const HEIGHT: u32 = 960;
const PAGE: &str = include_str!("page.js");
/// What a monitor needs of a browser, and nothing else: no calls home, no updates, nothing kept.
/// See <https://github.com/GoogleChrome/chrome-launcher/blob/main/docs/chrome-flags-for-tools.md>.
const FLAGS: [&str; 22] = [
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    // Frames of other sites in the page's own process: chromedriver does not tell what the console of others says.
    "--disable-site-isolation-trials",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-component-extensions-with-background-pages",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-domain-reliability",
    "--disable-client-side-phishing-detection",
    "--disable-features=IsolateOrigins,site-per-process,Translate,OptimizationHints,MediaRouter,InterestFeedContentSuggestions,AutofillServerCommunication",
    "--disk-cache-size=50000000",
    "--metrics-recording-only",
    "--mute-audio",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--no-service-autorun",
    "--password-store=basic",
];

/// The two programs.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    pub(super) chromium: PathBuf,
    pub(super) driver: PathBuf,
}

impl Programs {
    /// Those that are named, else what `PATH` has.
    pub(super) fn find(chromium: Option<&Path>, driver: Option<&Path>) -> Result<Programs, Stop> {
        let found = |named: Option<&Path>, names: &[&str]| match named {
            Some(path) if path.is_file() => Ok(path.to_owned()),
            Some(path) => Err(trouble::missing(&path.display().to_string())),
            None => in_path(names).ok_or_else(|| trouble::missing(&format!("`{}`", names[0]))),
        };
        Ok(Programs { chromium: found(chromium, &["chromium", "chromium-browser"])?, driver: found(driver, &["chromedriver"])? })
    }
}

fn in_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    names.iter().find_map(|name| std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file()))
}

/// Until when a run may use its browser.
#[derive(Clone)]
pub(super) struct Limit {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) until: Timestamp,
}

impl Limit {
    /// Waits for something, at most until the limit.
    pub(super) async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T, Broken> {
        tokio::select! {
            done = work => Ok(done),
            () = self.clock.sleep_until(self.until) => Err(Broken::Limit),
        }
    }

    /// The same without the time that is kept for evidence.
    fn without_reserve(mut self) -> Limit {
        let left = Duration::try_from(self.until.duration_since(self.clock.now())).unwrap_or_default();
        self.until -= RESERVE.min(left / 10);
        self
    }

    /// Waits so long, at most until the limit.
    pub(super) async fn pause(&self, time: Duration) -> Result<(), Broken> {
        self.within(self.clock.sleep_until(crate::clock::after(self.clock.now(), time))).await
    }
}

/// A session. Dropping it kills the browser and everything that it started.
pub(super) struct Session {
    driver: Unsaid,
    tree: Tree,
    /// Until when it may be used.
    pub(super) limit: Limit,
    /// When it is killed: a little later, for a last picture.
    ends: Timestamp,
    watch: Watch,
    _place: OwnedSemaphorePermit,
}

/// The driver is killed, not asked to quit: its own farewell on drop would block.
struct Unsaid(WebDriver);

impl Drop for Unsaid {
    fn drop(&mut self) {
        let _ = self.0.clone().leak();
    }
}

/// Kills the tree at the limit, whether anybody waits for it or not.
struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Session {
    /// Starts driver and browser.
    pub(super) async fn start(programs: &Programs, limit: Limit, place: OwnedSemaphorePermit) -> Result<Session, Stop> {
        let tree = limit.within(Tree::start(&programs.driver)).await??;
        let (switch, clock, ends) = (tree.switch(), limit.clock.clone(), limit.until);
        let watch = Watch(tokio::spawn(async move {
            clock.sleep_until(ends).await;
            switch.kill();
        }));
        let wanted = capabilities(&programs.chromium, tree.folder())
            .map_err(|e| trouble::crashed(format!("the browser's settings do not fit: {e}")))?;
        let opening = WebDriver::builder(format!("http://127.0.0.1:{}", tree.port), wanted).client(client()?).connect();
        let driver = match limit.within(opening).await? {
            Ok(driver) => Unsaid(driver),
            Err(error) => return Err(trouble::crashed(trouble::short(&error.to_string(), 300))),
        };
        Ok(Session { driver, tree, limit: limit.without_reserve(), ends, watch, _place: place })
    }

    /// Ends the session and waits until its tree is gone.
    pub(super) async fn end(self) {
        let Session { driver, tree, watch, .. } = self;
        drop(driver);
        tree.end().await;
        drop(watch);
    }

    /// Allows the little time that is kept for evidence.
    pub(super) fn last_look(&mut self) {
        self.limit.until = self.ends;
    }

    /// Where files to be uploaded may be put.
    pub(super) fn folder(&self) -> &Path {
        self.tree.folder()
    }

    /// One call of the driver.
    pub(super) async fn call<T>(&self, work: impl Future<Output = WebDriverResult<T>>) -> Result<T, Broken> {
        Ok(self.limit.within(work).await??)
    }

    /// Opens a page, until its document is read.
    pub(super) async fn go(&self, url: &str) -> Result<(), Broken> {
        self.call(self.driver.0.goto(url)).await
    }

    /// Runs a function of `page.js` in the frame in hand.
    pub(super) async fn page(&self, name: &str, args: &[Value]) -> Result<Value, Broken> {
        self.script(PAGE, vec![json!(name), json!(args)]).await
    }

    /// Runs a script in the frame in hand.
    pub(super) async fn script(&self, script: &str, args: Vec<Value>) -> Result<Value, Broken> {
        Ok(self.call(self.driver.0.execute(script, args)).await?.json().clone())
    }

    /// Runs a script that answers later, through its last argument.
    pub(super) async fn script_later(&self, script: &str, args: Vec<Value>) -> Result<Value, Broken> {
        Ok(self.call(self.driver.0.execute_async(script, args)).await?.json().clone())
    }

    /// Opens a page in a second window of the same profile, and gives the first one.
    pub(super) async fn aside(&self, url: &str) -> Result<WindowHandle, Broken> {
        let first = self.call(self.driver.0.window()).await?;
        let second = self.call(self.driver.0.new_tab()).await?;
        self.call(self.driver.0.switch_to_window(second)).await?;
        self.go(url).await?;
        Ok(first)
    }

    /// Closes the second window and goes on in the first.
    pub(super) async fn back(&self, first: WindowHandle) -> Result<(), Broken> {
        self.call(self.driver.0.close_window()).await?;
        self.call(self.driver.0.switch_to_window(first)).await
    }

    /// The element that a script gave; none for null.
    pub(super) fn element(&self, value: Value) -> Result<Option<WebElement>, Broken> {
        if value.is_null() {
            return Ok(None);
        }
        Ok(Some(WebElement::from_json(value, self.driver.0.handle().clone())?))
    }

    /// Goes into a frame, from the page inwards. A frame that is not there is an error that passes.
    pub(super) async fn enter(&self, frame: &[String]) -> Result<(), Broken> {
        self.call(self.driver.0.enter_default_frame()).await?;
        for path in frame {
            self.step_into(path).await?;
        }
        Ok(())
    }

    /// Goes one frame further in; `""` is the page.
    pub(super) async fn step_into(&self, path: &str) -> Result<(), Broken> {
        if path.is_empty() {
            return self.call(self.driver.0.enter_default_frame()).await;
        }
        match self.element(self.page("find", &[json!(path)]).await?)? {
            Some(frame) => self.call(frame.enter_frame()).await,
            None => Err(Broken::nothing(format!("the frame `{path}` did not appear"))),
        }
    }

    /// Clicks as a person does; where something lies over it, by the keyboard.
    pub(super) async fn click(&self, element: &WebElement) -> Result<(), Broken> {
        self.page("centre", &[element.to_json()?]).await?;
        match self.call(element.click()).await {
            Err(Broken::Refused(error)) if matches!(*error, WebDriverErrorInner::ElementClickIntercepted(_)) => {
                self.call(element.focus()).await?;
                self.call(element.send_keys(Key::Enter)).await
            }
            other => other,
        }
    }

    /// Presses a key in the element in focus.
    pub(super) async fn press(&self, key: Key) -> Result<(), Broken> {
        let focused = self.call(self.driver.0.active_element()).await?;
        self.call(focused.send_keys(key)).await
    }

    /// What the console says since the last time.
    pub(super) async fn console(&self) -> Result<Vec<BrowserLogEntry>, Broken> {
        self.call(self.driver.0.browser_log()).await
    }

    /// A picture of what is seen, as PNG, at this scale.
    pub(super) async fn picture(&self, scale: f64) -> Result<Vec<u8>, Broken> {
        let shot = Devtools(
            "Page.captureScreenshot",
            json!({
                "format": "png",
                "clip": { "x": 0, "y": 0, "width": WIDTH, "height": HEIGHT, "scale": scale },
            }),
        );
        let answer = self.call(self.driver.0.cmd(shot)).await?.value_json()?;
        let data = answer.get("data").and_then(Value::as_str).unwrap_or_default();
        BASE64.decode(data).map_err(|e| WebDriverError::from_inner(WebDriverErrorInner::ParseError(e.to_string())).into())
    }

    /// Versions of the two programs.
    pub(super) fn versions(&self) -> String {
        let known = self.driver.0.capabilities();
        let browser = known.get("browserVersion").and_then(Value::as_str).unwrap_or("?");
        let driver = known.get("chrome").and_then(|c| c.get("chromedriverVersion")).and_then(Value::as_str).unwrap_or("?");
        format!("Chromium {browser}, chromedriver {}", driver.split(' ').next().unwrap_or("?"))
    }
}

/// A command of Chromium's own protocol, handed through by chromedriver.
#[derive(Debug)]
struct Devtools(&'static str, Value);

impl FormatRequestData for Devtools {
    fn format_request(&self, session: &SessionId) -> RequestData {
        RequestData::new(reqwest::Method::POST, format!("session/{session}/goog/cdp/execute"))
            .add_body(json!({ "cmd": self.0, "params": self.1 }))
    }
}

/// A client for the driver alone: no proxy, no redirects.
fn client() -> Result<reqwest::Client, Stop> {
    // Somebody else may have installed it before us: that is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ONE_CALL)
        // A kept connection that dies unnoticed would look like a dead browser.
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|e| trouble::crashed(format!("no HTTP client for the driver: {e}")))
}

fn capabilities(chromium: &Path, folder: &Path) -> WebDriverResult<Capabilities> {
    let mut args: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
    args.push(format!("--window-size={WIDTH},{HEIGHT}"));
    args.push(format!("--user-data-dir={}", folder.join("profile").display()));
    if is_root() {
        // Chromium's sandbox does not work for root.
        args.push("--no-sandbox".to_owned());
    }
    let mut wanted = Capabilities::new();
    wanted.set("browserName", "chrome")?;
    wanted.set("pageLoadStrategy", "eager")?;
    wanted.set("unhandledPromptBehavior", "dismiss")?;
    wanted.set("goog:loggingPrefs", json!({ "browser": "ALL" }))?;
    wanted.set(
        "goog:chromeOptions",
        json!({
            "binary": chromium,
            "args": args,
            "prefs": preferences(),
        }),
    )?;
    Ok(wanted)
}

fn preferences() -> Value {
    json!({
        // Debian's start page is a search engine's: no monitor should call there, and a page that still loads gets in the way.
        "session.restore_on_startup": 4,
        "session.startup_urls": ["about:blank"],
        "homepage": "about:blank",
        "homepage_is_newtabpage": false,
        // 3: a page can leave no file on this machine. 2: nobody is asked.
        "download_restrictions": 3,
        "profile.default_content_setting_values.notifications": 2,
        "credentials_enable_service": false,
    })
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
