//! `desk record` and the replays of `desk check`: recordings of a live desk as files.

use crate::cli::exit::Exit;
use crate::cli::{Context, Ended, Failure, assemble, load, put};
use crate::config::{Config, DeskSettings};
use crate::desk::Definition;
use crate::desk::transcript::{Recorded, Subject, Transcript, record, replay};
use crate::engine::ports::{RunFilter, Store};
use crate::model::{Channel, Fill, FormBy, FormChannel, Probe, Run, Stage};
use crate::problem;
use crate::report::look::{GOOD, UNSURE, paint};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder below `--out`.
const FOLDER: &str = "transcripts";
/// The largest file of a recording that is read.
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// Runs of a probe among which one with a ticket is looked for.
const MAX_RUNS: usize = 50;

/// Arguments of `desk record`.
#[derive(clap::Args)]
pub struct Args {
    /// The desk's key in replypath.toml
    #[arg(value_name = "DESK")]
    desk: String,
    /// The probe whose latest ticket is read
    #[arg(long, value_name = "NAME")]
    probe: String,
    /// The folder into which transcripts/ is written
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Also answer and close the ticket; a probe with a recipe writes in anew first
    #[arg(long)]
    write: bool,
}

/// Records a live desk.
///
/// # Errors
/// Exit 3 for a faulty configuration or folder, 4 for a desk or probe that is not there, 5 when the desk does not answer.
pub async fn run(args: &Args, context: &Context) -> Ended {
    let config = load(&context.dir)?;
    let settings = config.desks.get(&args.desk).ok_or_else(|| missing("desk", &args.desk, config.desks.keys()))?;
    let probe = config.probes.get(&args.probe).ok_or_else(|| missing("probe", &args.probe, config.probes.keys()))?;
    if probe.desk.as_deref() != Some(&args.desk) {
        return Err(Failure::new(Exit::Nothing, format!("probe `{}` writes to another desk; choose one of `{}`", probe.name, args.desk)));
    }
    let folder = args.out.join(FOLDER);
    if !transcripts(&folder)?.is_empty() {
        let text = format!("{} holds a recording already; choose another folder, or remove it", folder.display());
        return Err(Failure::new(Exit::Configuration, text));
    }
    let store = assemble::store(&config, &context.clock).await?;
    let (subject, form) = subject(&config, probe, &store, args.write).await?;
    let recorded = taken(settings, &subject, form.as_ref(), args.write).await?;
    let mut text = String::new();
    std::fs::create_dir_all(&folder).map_err(|e| unwritable(&folder, &e))?;
    for (number, transcript) in recorded.transcripts.iter().enumerate() {
        let path = folder.join(format!("{:02}-{}.json", number + 1, transcript.operation.name()));
        let json = serde_json::to_string_pretty(transcript).map_err(|e| Failure::ours(e.to_string()))?;
        std::fs::write(&path, format!("{json}\n")).map_err(|e| unwritable(&path, &e))?;
        text.push_str(&format!("{}  {}\n", paint(GOOD, "written"), path.display()));
    }
    text.extend(recorded.remarks.iter().map(|r| format!("{}: {r}\n", paint(UNSURE, "look"))));
    text.push_str("\nsecrets, cookies, addresses and other people's requests were taken out; read the files before you share them\n");
    put(&text);
    Ok(Exit::Passed)
}

async fn taken(settings: &DeskSettings, subject: &Subject, form: Option<&FormChannel>, write: bool) -> Result<Recorded, Failure> {
    let definition = Definition::parse(&settings.source.origin, &settings.source.text)
        .map_err(|p| Failure::new(Exit::Configuration, problem::render(&p, false)))?;
    record(Arc::new(definition), settings, subject, form, write).await.map_err(Failure::ours)
}

fn missing<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a String>) -> Failure {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let help = match assemble::nearest(name, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "there are none".to_owned(),
        None => format!("there are {}", known.join(", ")),
    };
    Failure::new(Exit::Nothing, format!("no {what} is called `{name}`; {help}"))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Configuration, format!("{} cannot be written: {error}", path.display()))
}

/// What is recorded: a new request where the probe has a recipe and may write, else that of its latest run with a ticket.
async fn subject(config: &Config, probe: &Probe, store: &Arc<dyn Store>, write: bool) -> Result<(Subject, Option<FormChannel>), Failure> {
    if let (Channel::Form(form), true) = (&probe.channel, write)
        && matches!(form.by, FormBy::Recipe(_))
    {
        let account = config.accounts.get(&probe.account);
        let account = account.ok_or_else(|| Failure::ours(format!("there is no account `{}`", probe.account)))?;
        let run = format!("recording-{:016x}", crate::engine::random());
        let token = store.token_key().await?.token(&run, "send").0;
        let form = filled(form, &token, &run, &account.display_name, &account.address);
        let subject = Subject {
            token,
            subject: form.subject.clone(),
            address: account.address.clone(),
            name: account.display_name.clone(),
            since: jiff::Timestamp::now(),
        };
        return Ok((subject, Some(form)));
    }
    let filter = RunFilter { probe: Some(probe.name.clone()), limit: MAX_RUNS, ..RunFilter::default() };
    let runs = store.runs(&filter).await?;
    let found = runs.iter().filter(|r| r.ticket.is_some()).find_map(of_run);
    found.map(|subject| (subject, None)).ok_or_else(|| {
        let text = format!("probe `{}` has no run with a ticket; run it first: replypath run {}", probe.name, probe.name);
        Failure::new(Exit::Nothing, text)
    })
}

fn of_run(run: &Run) -> Option<Subject> {
    let message = run.messages.iter().find(|m| m.stage == Stage::Send)?;
    Some(Subject {
        token: message.token.0.clone(),
        subject: message.subject.clone(),
        address: run.address.clone(),
        name: run.display_name.clone().unwrap_or_default(),
        since: run.started,
    })
}

/// The form with its texts filled in.
fn filled(form: &FormChannel, token: &str, run: &str, name: &str, address: &str) -> FormChannel {
    let plain =
        |text: &str| text.replace("${token}", token).replace("${run}", run).replace("${customer}", name).replace("${address}", address);
    let (subject, text) = (plain(&form.subject), plain(&form.text));
    let mut filled = form.clone();
    for field in &mut filled.fields {
        if let Fill::Write(value) | Fill::Choose(value) = &mut field.fill {
            *value = plain(value).replace("${subject}", &subject).replace("${text}", &text);
        }
    }
    FormChannel { subject, text, page: form.page.as_deref().map(plain), ..filled }
}

/// The recordings in a folder, by name; none when there is no such folder.
fn transcripts(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| Failure::ours(format!("{} cannot be read: {e}", folder.display())))?.path();
        if path.extension().is_some_and(|e| e == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Plays every recording in `folder` against a definition; gives lines for people, and whether all read the same.
///
/// # Errors
/// Exit 4 when there is no recording, 3 for a file that is none.
pub async fn replayed(definition: Definition, folder: &Path) -> Result<(String, bool), Failure> {
    let below = folder.join(FOLDER);
    let files = transcripts(if below.is_dir() { &below } else { folder })?;
    if files.is_empty() {
        return Err(Failure::new(Exit::Nothing, format!("{} holds no recording (transcripts/*.json)", folder.display())));
    }
    let definition = Arc::new(definition);
    let (mut text, mut same) = (String::new(), 0);
    for path in &files {
        let faulty = |why: String| Failure::new(Exit::Configuration, format!("{}: {why}", path.display()));
        let large = std::fs::metadata(path).is_ok_and(|m| m.len() > MAX_FILE);
        if large {
            return Err(faulty(format!("larger than {} MiB", MAX_FILE / 1024 / 1024)));
        }
        let json = std::fs::read_to_string(path).map_err(|e| faulty(format!("cannot be read: {e}")))?;
        let transcript: Transcript = serde_json::from_str(&json).map_err(|e| faulty(format!("is no recording: {e}")))?;
        match replay(&definition, &transcript).await.map_err(faulty)? {
            None => same += 1,
            Some(difference) => {
                text.push_str(&format!("{}  {} reads differently\n", paint(UNSURE, "differs"), path.display()));
                text.extend(difference.lines.iter().map(|l| format!("    {l}\n")));
            }
        }
    }
    text.push_str(&format!("{same} of {} recorded operations read the same; this proves nothing about the product\n", files.len()));
    Ok((text, same == files.len()))
}
