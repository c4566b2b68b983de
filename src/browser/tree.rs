//! The process tree of one browser: chromedriver, Chromium and all that they start, in a session of their own.
//!
//! A small shell keeps them: it waits on a pipe that only this process holds, and as soon as the pipe closes (on purpose, or
//! because this process died, however it died) it kills the whole group and removes the folder with profile and files. So
//! nothing has to be remembered for the next start.

use super::trouble;
use crate::engine::ways::Stop;
use rustix::process::{Pid, Signal, kill_process_group};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// `$1` is the folder, the rest the driver with its arguments. Told on the first line: the group's number.
const KEEPER: &str = r#"
folder=$1; shift
setsid "$@" </dev/null 2>/dev/null &
group=$!
echo "group $group"
exec >/dev/null 2>&1
read -r _
kill -s KILL -- "-$group" || kill -s KILL "$group"
wait
# What dies may still write for a moment.
for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$folder" && exit; sleep 0.2; done
"#;
/// What of our surroundings Chromium gets to see: none of the secrets that may be in the rest.
const KEPT: [&str; 12] = [
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];
const READY: &str = "started successfully on port ";
/// What the driver says when the port that it chose is taken.
const PORT_TAKEN: &str = "port not available";
/// So often it may choose another one.
const STARTS: u32 = 4;
/// The time in which the keeper has removed everything.
const GONE: Duration = Duration::from_secs(5);

/// What kills a tree, for whoever has to watch its time.
#[derive(Debug, Default)]
pub(super) struct Switch(Mutex<(Option<ChildStdin>, Option<Pid>)>);

impl Switch {
    /// Kills at once, without waiting. A second time it does nothing.
    pub(super) fn kill(&self) {
        let mut held = self.0.lock().unwrap_or_else(|e| e.into_inner());
        held.0 = None;
        // The keeper does the same; it may have been killed itself.
        if let Some(group) = held.1.take() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    fn set_group(&self, group: Option<Pid>) {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).1 = group;
    }
}

/// The running tree. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Tree {
    keeper: Child,
    switch: Arc<Switch>,
    folder: PathBuf,
    /// The driver's port on 127.0.0.1.
    pub(super) port: u16,
}

impl Tree {
    /// Starts the driver on a free port of its own choice and returns once it listens.
    pub(super) async fn start(driver: &Path) -> Result<Tree, Stop> {
        let mut tries = 1;
        loop {
            match Tree::start_once(driver).await {
                // It takes a port that is free for IPv6 and wants the same one for IPv4, which somebody else may have.
                Err(stop) if tries < STARTS && stop.found.contains(PORT_TAKEN) => tries += 1,
                started => return started,
            }
        }
    }

    async fn start_once(driver: &Path) -> Result<Tree, Stop> {
        let folder = fresh_folder().map_err(|e| trouble::crashed(format!("no folder for the browser's profile: {e}")))?;
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "sh"]).arg(&folder).arg(driver).arg("--port=0");
        command.env_clear().envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        // Everything that Chromium leaves behind lies in the folder. (With XDG_RUNTIME_DIR there, Debian's never opens a page.)
        for name in ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env(name, &folder);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Ctrl-C in the terminal is ours to handle.
        command.process_group(0);
        let mut keeper = command.spawn().map_err(|e| {
            let _ = std::fs::remove_dir_all(&folder);
            trouble::crashed(format!("cannot start a shell to keep the browser: {e}"))
        })?;
        let (pipe, told) = (keeper.stdin.take(), keeper.stdout.take());
        let mut tree = Tree { keeper, switch: Arc::new(Switch(Mutex::new((pipe, None)))), folder, port: 0 };
        tree.listen(told).await?;
        Ok(tree)
    }

    async fn listen(&mut self, told: Option<ChildStdout>) -> Result<(), Stop> {
        let Some(told) = told else { return Err(trouble::crashed("the browser's keeper has no output")) };
        let mut lines = BufReader::new(told).lines();
        let mut last = String::new();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(group) = line.strip_prefix("group ") {
                self.switch.set_group(group.trim().parse().ok().and_then(Pid::from_raw));
            } else if let Some((_, port)) = line.split_once(READY) {
                self.port = port.trim().trim_end_matches('.').parse().unwrap_or(0);
                // Read on, so that the driver never stands before a full pipe.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(());
            } else {
                last = line;
            }
        }
        Err(trouble::crashed(format!("chromedriver ended before it listened; its last words: “{}”", trouble::short(&last, 200))))
    }

    /// The folder of this browser: profile, uploads.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What kills it.
    pub(super) fn switch(&self) -> Arc<Switch> {
        self.switch.clone()
    }

    /// Kills, and waits until the folder is gone too.
    pub(super) async fn end(mut self) {
        self.switch.kill();
        let _ = tokio::time::timeout(GONE, self.keeper.wait()).await;
        if self.folder.exists() {
            let _ = tokio::fs::remove_dir_all(&self.folder).await;
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.switch.kill();
    }
}

/// A folder for one browser, for its owner's eyes only.
fn fresh_folder() -> std::io::Result<PathBuf> {
    let name = crate::random::hex::<8>().map_err(std::io::Error::other)?;
    let path = std::env::temp_dir().join(format!("replypath-browser-{name}"));
    let mut builder = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&path)?;
    Ok(path)
}
