//! The JSON API as schemathesis takes it to pieces: it makes requests from the description, fitting ones and broken ones, and
//! holds every answer against it.

use crate::kit::{TOKEN, World};
use replypath::model::Verdict;
use std::process::Stdio;

/// Names the program `st` of schemathesis, which is no part of this repository: `pip install schemathesis` brings it.
const PROGRAM: &str = "REPLYPATH_SCHEMATHESIS";

/// The same requests each time, bounded in number.
const BOUNDS: [&str; 11] = [
    "--generation-deterministic",
    "--phases=examples,coverage,fuzzing,stateful",
    "--max-examples=30",
    "--workers=1",
    "--checks=all",
    "--continue-on-failure",
    "--request-timeout=60",
    "--suppress-health-check=all",
    "--warnings=off",
    "--no-color",
    "--output-sanitize=false",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_brings_an_answer_that_is_not_described() {
    let Some(program) = std::env::var_os(PROGRAM) else {
        println!("skipped: {PROGRAM} names no schemathesis");
        return;
    };
    let world = World::with_token(&["billing", "sales"], true).await;
    world.run("rgood", "billing", Verdict::Pass, 0).await;
    world.run("rbad", "billing", Verdict::Fail, 900).await;
    world.run("runsure", "sales", Verdict::Unknown, 950).await;
    world.go_to(1_000);
    let description: serde_json::Value = serde_json::from_str(&world.page("/api/v1/openapi.json").await).unwrap();
    let operations: usize = description["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
    let folder = tempfile::tempdir().unwrap();
    let operator = format!("Authorization: Bearer {TOKEN}");
    for (who, header) in [("the public", "X-Reader: public"), ("an operator", operator.as_str())] {
        let mut command = tokio::process::Command::new(&program);
        command.arg("run").arg(world.url("/api/v1/openapi.json")).args(BOUNDS).args(["-H", header]);
        command.current_dir(folder.path()).env("HOME", folder.path()).stdin(Stdio::null()).kill_on_drop(true);
        let ended = command.output().await.unwrap_or_else(|e| panic!("{}: {e}", program.display()));
        let said = String::from_utf8_lossy(&ended.stdout);
        println!("{said}");
        assert!(said.contains(&format!("Tested: {operations}\n")), "{who}: not every operation was tried: {said}");
        assert!(ended.status.success(), "{who}: {said}\n{}", String::from_utf8_lossy(&ended.stderr));
    }
}
