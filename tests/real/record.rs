//! Keeps the judged run of a row of the fault matrix as evidence, where `REPLYPATH_RECORD` names a folder: what
//! `tests/evidence` diagnoses again.

use crate::site::Site;
use replypath::clock::SystemClock;
use replypath::engine::ports::Store;
use replypath::model::{Channel, ReceivedMail, Run, RunId};
use replypath::store::SqliteStore;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// Enough for every run that the diagnosis can need, and small enough to be read.
const MOST_BYTES: usize = 15_000;

/// Writes the run of a report as `ROW.json`, when a folder is named.
pub fn record(site: &Site, row: &str, report: &Value) {
    let Some(folder) = std::env::var_os("REPLYPATH_RECORD") else { return };
    let id = RunId(report["run"].as_str().expect("a run's id").to_owned());
    let text = serde_json::to_string_pretty(&evidence(stored(site, &id))).expect("JSON");
    assert!(text.len() < MOST_BYTES, "{row}: {} bytes", text.len());
    let here = site.path().display().to_string();
    assert!(!text.contains(&here) && !text.contains("-pass\""), "{row}: a path of this machine, or a password");
    std::fs::write(Path::new(&folder).join(format!("{row}.json")), text + "\n").expect("the folder of REPLYPATH_RECORD");
}

fn stored(site: &Site, id: &RunId) -> Run {
    let found = async {
        let store = SqliteStore::open(&site.path().join("state"), "record", Arc::new(SystemClock)).expect("the store");
        store.run(id).await.expect("the store").expect("the run")
    };
    tokio::runtime::Runtime::new().expect("a runtime").block_on(found)
}

/// The run without what no rule reads: what stood in mails and chats, files, when to look next.
fn evidence(mut run: Run) -> Value {
    for seen in &mut run.mails {
        let ReceivedMail { key, in_junk, from, .. } = std::mem::take(&mut seen.mail);
        seen.mail = ReceivedMail { key, in_junk, from, ..ReceivedMail::default() };
    }
    if let Some(chat) = &mut run.chat {
        chat.sealed = None;
        chat.lines.clear();
    }
    if let Channel::Form(form) = &mut run.probe.channel {
        form.attachments.clear();
    }
    run.polls.clear();
    let probe = serde_json::to_value(&run.probe).expect("a probe");
    let mut value = serde_json::to_value(&run).expect("a run");
    // A stored run has its probe beside it.
    value["probe"] = probe;
    value
}
