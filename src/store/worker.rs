//! A thread that owns one connection: jobs come in by a channel, callers await their answer.
//!
//! Jobs that queue up while one is under way share the next transaction, each inside a savepoint of its own,
//! so that fifty runs that store an intent at once wait for one flush to disk, not for fifty.

use super::failure::{Fail, explain};
use crate::engine::ports::StoreError;
use rusqlite::Connection;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// At most so many jobs share a transaction.
const BATCH: usize = 64;

/// Sends the answer, once it is known whether the transaction was committed (none) or lost (why).
type Answer = Box<dyn FnOnce(Option<&str>)>;
/// Runs the job on the connection, or refuses it with the given reason.
type Work = Box<dyn FnOnce(Result<(&Connection, Company), &str>) -> Answer + Send>;

/// Who else is in the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Company {
    /// Nobody: what fails takes nothing with it.
    Alone,
    /// Other jobs, which a failure must not touch.
    Shared,
}

struct Job {
    durable: bool,
    work: Work,
}

/// How a worker's transactions begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Takes the write lock at once, so that a job can never fail half way for want of it.
    Write,
    /// One consistent sight of the data.
    Read,
}

impl Mode {
    fn begin(self) -> &'static str {
        match self {
            Mode::Write => "BEGIN IMMEDIATE",
            Mode::Read => "BEGIN",
        }
    }
}

/// The handle of a worker thread. Dropping it lets queued jobs end and waits for the thread.
pub(super) struct Worker {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    file: Arc<str>,
}

impl Worker {
    /// Starts the thread. `file` names the database in messages.
    pub(super) fn start(connection: Connection, mode: Mode, file: Arc<str>) -> Result<Worker, StoreError> {
        let (jobs, queue) = channel();
        let name = Arc::clone(&file);
        let thread = std::thread::Builder::new()
            .name(format!("store-{}", if mode == Mode::Write { "write" } else { "read" }))
            .spawn(move || serve(&connection, mode, &queue, &name))
            .map_err(|e| StoreError::Failed(format!("no thread for the store {file}: {e}; the system's limit of processes is reached")))?;
        Ok(Worker { jobs: Some(jobs), thread: Some(thread), file })
    }

    /// Runs `job` in a transaction. With `durable` the transaction is flushed to disk before the answer.
    /// The job runs to its end even when the caller stops waiting.
    pub(super) async fn call<T, F>(&self, durable: bool, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fail> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let file = Arc::clone(&self.file);
        let work: Work = Box::new(move |connection| {
            let result = match connection {
                Ok((connection, Company::Shared)) => in_savepoint(connection, job).map_err(|e| e.into_store(&file)),
                Ok((connection, Company::Alone)) => alone(connection, job).map_err(|e| e.into_store(&file)),
                Err(refused) => Err(StoreError::Failed(refused.to_owned())),
            };
            Box::new(move |lost| {
                let result = match lost {
                    Some(why) if result.is_ok() => Err(StoreError::Failed(why.to_owned())),
                    _ => result,
                };
                // A caller that no longer waits needs no answer.
                let _ = tell.send(result);
            })
        });
        let gone = || StoreError::Failed(format!("the thread of the store {} has ended; restart replypath", self.file));
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(Job { durable, work }).map_err(|_| gone())?;
        told.await.map_err(|_| gone())?
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by its hook; there is nothing left to save.
            let _ = thread.join();
        }
    }
}

fn serve(connection: &Connection, mode: Mode, queue: &Receiver<Job>, file: &str) {
    while let Ok(first) = queue.recv() {
        let mut batch = VecDeque::from([first]);
        while batch.len() < BATCH {
            match queue.try_recv() {
                Ok(job) => batch.push_back(job),
                Err(_) => break,
            }
        }
        while !batch.is_empty() {
            transaction(connection, mode, &mut batch, file);
        }
    }
}

/// Runs jobs in one transaction until none are left, or until SQLite gave the whole transaction up.
fn transaction(connection: &Connection, mode: Mode, jobs: &mut VecDeque<Job>, file: &str) {
    let durable = jobs.iter().any(|job| job.durable);
    let mut answers: Vec<Answer> = Vec::new();
    let lost = match begin(connection, mode, durable) {
        Ok(()) => work_off(connection, jobs, &mut answers, file).err(),
        Err(error) => {
            // Refuse all: run one by one, each would wait for the lock until its own time-out.
            let why = explain(file, &error);
            answers.extend(jobs.drain(..).map(|job| (job.work)(Err(&why))));
            Some(why)
        }
    };
    if lost.is_some() && !connection.is_autocommit() {
        // Should this fail too, the next BEGIN says so.
        let _ = run(connection, "ROLLBACK");
    }
    if durable {
        // Should it fail, the next transactions are only slower.
        let _ = connection.execute_batch("PRAGMA synchronous=NORMAL");
    }
    for answer in answers {
        answer(lost.as_deref());
    }
}

fn begin(connection: &Connection, mode: Mode, durable: bool) -> rusqlite::Result<()> {
    if durable {
        // Compiled anew each time: this pragma acts when it is prepared, and only outside a transaction.
        connection.execute_batch("PRAGMA synchronous=FULL")?;
    }
    run(connection, mode.begin())
}

fn work_off(connection: &Connection, jobs: &mut VecDeque<Job>, answers: &mut Vec<Answer>, file: &str) -> Result<(), String> {
    let company = if jobs.len() == 1 { Company::Alone } else { Company::Shared };
    while let Some(job) = jobs.pop_front() {
        answers.push((job.work)(Ok((connection, company))));
        if connection.is_autocommit() && company == Company::Alone {
            // The job has failed, says so itself, and what it began is rolled back.
            return Ok(());
        }
        if connection.is_autocommit() {
            // Full disk, I/O error: SQLite has rolled back the earlier jobs of this transaction with it.
            return Err(format!("the store {file} gave up a transaction because a step beside this one failed; nothing was stored"));
        }
    }
    run(connection, "COMMIT").map_err(|e| explain(file, &e))
}

fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

/// Runs the only job of a transaction; when it fails the transaction is rolled back.
fn alone<T>(connection: &Connection, job: impl FnOnce(&Connection) -> Result<T, Fail>) -> Result<T, Fail> {
    let result = job(connection);
    if result.is_err() && !connection.is_autocommit() {
        run(connection, "ROLLBACK")?;
    }
    result
}

fn in_savepoint<T>(connection: &Connection, job: impl FnOnce(&Connection) -> Result<T, Fail>) -> Result<T, Fail> {
    run(connection, "SAVEPOINT job")?;
    match job(connection) {
        Ok(value) => {
            run(connection, "RELEASE job")?;
            Ok(value)
        }
        Err(fail) => {
            if !connection.is_autocommit() {
                run(connection, "ROLLBACK TO job")?;
                run(connection, "RELEASE job")?;
            }
            Err(fail)
        }
    }
}
