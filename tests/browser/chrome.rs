//! A Chromium that a test drives itself, as a reader of the daemon's pages.

use base64::Engine as _;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use thirtyfour::common::command::FormatRequestData;
use thirtyfour::{Capabilities, Key, RequestData, SessionId, WebDriver};

/// The driver in a session of its own; the shell ends all of it when its standard input closes, also when this process is killed.
const KEEPER: &str = r#"setsid "$@" </dev/null 2>/dev/null & group=$!; read -r _; kill -s KILL -- "-$group"; wait"#;
const READY: &str = "started successfully on port ";
/// The driver takes a port that is free for IPv6 and gives up when somebody has it for IPv4.
const STARTS: u32 = 4;
/// How long a browser may take on a busy machine.
const LONG: Duration = Duration::from_secs(120);

/// A command of Chromium's own protocol, handed through by chromedriver.
#[derive(Debug)]
struct Devtools(String, Value);

impl FormatRequestData for Devtools {
    fn format_request(&self, session: &SessionId) -> RequestData {
        let path = format!("session/{session}/goog/cdp/execute");
        RequestData::new(reqwest::Method::POST, path).add_body(json!({ "cmd": self.0, "params": self.1 }))
    }
}

/// One window.
pub struct Chrome {
    driver: WebDriver,
    keeper: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Chrome {
    fn drop(&mut self) {
        // The driver is killed: its own farewell would block.
        let _ = self.driver.clone().leak();
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn driver(folder: &Path) -> Option<(Child, u16)> {
    let mut command = Command::new("sh");
    command.args(["-c", KEEPER, "sh", "chromedriver", "--port=0"]).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    // With XDG_RUNTIME_DIR there, Debian's Chromium never opens a page.
    command.env_remove("XDG_RUNTIME_DIR");
    for name in ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
        command.env(name, folder);
    }
    let mut keeper = command.spawn().expect("a shell");
    let mut lines = BufReader::new(keeper.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let port = lines.find_map(|line| line.split_once(READY)?.1.trim_end_matches('.').parse().ok());
    // Read on, so that the driver never stands before a full pipe.
    std::thread::spawn(move || lines.count());
    match port {
        Some(port) => Some((keeper, port)),
        None => {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
            None
        }
    }
}

impl Chrome {
    /// A browser with a fresh profile.
    pub async fn start() -> Chrome {
        let folder = tempfile::tempdir().expect("a folder");
        let (keeper, port) = (0..STARTS).find_map(|_| driver(folder.path())).expect("a driver");
        let mut args =
            vec!["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"];
        args.extend(["--disable-component-update", "--disable-sync", "--hide-scrollbars", "--window-size=1280,1000"]);
        let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
        args.push(&profile);
        if rustix::process::geteuid().is_root() {
            // Chromium's sandbox does not work for root.
            args.push("--no-sandbox");
        }
        let mut wanted = Capabilities::new();
        let settings = [
            ("browserName", json!("chrome")),
            // A dialog stays, so that whatever is done next fails.
            ("unhandledPromptBehavior", json!("ignore")),
            ("timeouts", json!({ "script": LONG.as_millis(), "pageLoad": LONG.as_millis() })),
            ("goog:loggingPrefs", json!({ "browser": "ALL" })),
            ("goog:chromeOptions", json!({ "args": args })),
        ];
        for (name, value) in settings {
            wanted.set(name, value).expect("a setting");
        }
        // Only the first of this program counts; nothing is encrypted here.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().timeout(LONG * 2).pool_max_idle_per_host(0).build().expect("a client");
        let opening = WebDriver::builder(format!("http://127.0.0.1:{port}"), wanted).client(client).connect();
        Chrome { driver: opening.await.expect("a browser"), keeper, _folder: folder }
    }

    /// Opens a page, until it is loaded.
    pub async fn go(&self, url: &str) {
        self.driver.goto(url).await.unwrap_or_else(|e| panic!("{url}: {e}"));
    }

    /// What a script returns. It may do what the page's own scripts may not.
    pub async fn script(&self, script: &str, args: Vec<Value>) -> Value {
        self.driver.execute(script, args).await.unwrap_or_else(|e| panic!("{script}: {e}")).json().clone()
    }

    /// What an expression is worth.
    pub async fn value(&self, expression: &str) -> Value {
        self.script(&format!("return {expression}"), vec![]).await
    }

    /// The same as text.
    pub async fn text(&self, expression: &str) -> String {
        self.value(expression).await.as_str().unwrap_or_else(|| panic!("no text: {expression}")).to_owned()
    }

    /// What a script hands to its last argument, sooner or later.
    pub async fn later(&self, script: &str, args: Vec<Value>) -> Value {
        self.driver.execute_async(script, args).await.unwrap_or_else(|e| panic!("{script}: {e}")).json().clone()
    }

    /// What the console said since the last time: errors, refusals, what scripts wrote.
    pub async fn console(&self) -> Vec<String> {
        self.driver.browser_log().await.expect("a console").into_iter().map(|entry| entry.message).collect()
    }

    /// A command of Chromium's own protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let answer = self.driver.cmd(Devtools(command.to_owned(), parameters)).await.unwrap_or_else(|e| panic!("{command}: {e}"));
        answer.value_json().expect("JSON")
    }

    /// Waits, with a generous limit, until an expression is true of the page.
    pub async fn until(&self, expression: &str) {
        let looks = async {
            let mut pace = tokio::time::interval(Duration::from_millis(50));
            while self.value(expression).await != json!(true) {
                pace.tick().await;
            }
        };
        if tokio::time::timeout(LONG, looks).await.is_err() {
            panic!("not in time: {expression}\n{}", self.text("document.body.innerText").await);
        }
    }

    /// Presses a key.
    pub async fn press(&self, key: Key) {
        self.driver.action_chain_with_delay(Some(Duration::ZERO), Some(Duration::ZERO)).send_keys(key).perform().await.expect("a key");
    }

    /// Writes a picture of the whole page, whatever the window shows of it.
    pub async fn picture(&self, file: &Path) {
        let shot = self.devtools("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true })).await;
        let png = base64::prelude::BASE64_STANDARD.decode(shot["data"].as_str().expect("a picture")).expect("base64");
        std::fs::write(file, png).expect("a file");
    }

    /// From now on pages have this width and are drawn for readers who want it so: `light` or `dark`.
    pub async fn look(&self, width: u32, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Whether pages may run scripts of their own from the next one on.
    pub async fn scripts(&self, allowed: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": !allowed })).await;
    }
}
