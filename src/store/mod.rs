//! The store on SQLite: one file, one thread that writes, one connection that only reads.
//!
//! Every method is one transaction. A command line beside a daemon is a second [`SqliteStore`] on the same
//! file: what belongs to whom is told by `owner`, `lease_until` and `epoch` of each run.

mod budget;
mod failure;
mod history;
mod list;
mod mail;
mod prune;
mod rows;
mod runs;
mod schema;
mod standing;
#[cfg(test)]
pub(crate) mod tests;
mod worker;

use crate::clock::Clock;
use crate::engine::ports::{BudgetAnswer, Claimed, ProbeStanding, Retention, RunFilter, Step, Store, StoreError};
use crate::model::{Brief, Budget, Delivery, Judged, Position, Run, RunId, Token, TokenKey, Verdict};
use async_trait::async_trait;
use failure::Fail;
use jiff::Timestamp;
use rows::{Row, Stored, StoredClaim, count, micros, micros_after, time};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use worker::{Mode, Worker};

/// The database's name inside the state directory.
pub const FILE_NAME: &str = "replypath.db";
/// How long to wait for another program's transaction.
const BUSY: Duration = Duration::from_secs(10);

/// Left alone SQLite takes the index of all runs of the probe, which has as many columns in common.
const UNFINISHED: &str =
    "SELECT 1 FROM runs INDEXED BY runs_unfinished WHERE probe = ?1 AND phase <> 'finished' AND \"trigger\" <> 'control' LIMIT 1";
const LAST_WITH: &str = "SELECT num, id FROM runs
     WHERE probe = ?1 AND verdict = ?2 AND id IS NOT ?3 AND \"trigger\" <> 'control' ORDER BY started DESC LIMIT 1";

/// A [`Store`] in one SQLite file.
pub struct SqliteStore {
    /// None: the writer answers queries too (a database in memory has one connection).
    /// Before the writer, so that it is closed first: who closes last puts the write-ahead log into the file, and the
    /// reader may not write.
    reader: Option<Worker>,
    writer: Worker,
    /// See [`Due`].
    due: Due,
    instance: Arc<str>,
    clock: Arc<dyn Clock>,
}

/// The earliest due time among this instance's runs that are not in hand, as the last step left it. Only steps of this
/// instance change it, except that another's listener may make a run due: such are found at the next claim.
type Due = Arc<Mutex<Option<Option<i64>>>>;

impl SqliteStore {
    /// Opens the store in the folder `dir` as `instance`, making both where they are missing.
    /// `instance` must be new for each process: what it had in hand before counts as lost.
    ///
    /// # Errors
    /// When the file cannot be opened, is damaged, or was written by a newer version; the text says what to do.
    pub fn open(dir: &Path, instance: &str, clock: Arc<dyn Clock>) -> Result<Arc<SqliteStore>, StoreError> {
        SqliteStore::open_waiting(dir, instance, clock, BUSY)
    }

    fn open_waiting(dir: &Path, instance: &str, clock: Arc<dyn Clock>, busy: Duration) -> Result<Arc<SqliteStore>, StoreError> {
        let file = dir.join(FILE_NAME);
        let name: Arc<str> = file.display().to_string().into();
        make(dir, &file)?;
        let open = || -> Result<(Connection, Connection), Fail> {
            let writer = schema::open_writer(&file, busy)?;
            runs::disown_earlier_life(&writer, instance, micros(clock.now()))?;
            Ok((writer, schema::open_reader(&file, busy)?))
        };
        let (writer, reader) = open().map_err(|e| e.into_store(&name))?;
        Ok(Arc::new(SqliteStore {
            writer: Worker::start(writer, Mode::Write, Arc::clone(&name))?,
            reader: Some(Worker::start(reader, Mode::Read, name)?),
            instance: instance.into(),
            due: Due::default(),
            clock,
        }))
    }

    /// A store that is gone when it is dropped.
    ///
    /// # Errors
    /// When SQLite has no memory or the system no thread for it.
    pub fn in_memory(instance: &str, clock: Arc<dyn Clock>) -> Result<Arc<SqliteStore>, StoreError> {
        let name: Arc<str> = "in memory".into();
        let writer = schema::open_in_memory().map_err(|e| e.into_store(&name))?;
        let writer = Worker::start(writer, Mode::Write, name)?;
        Ok(Arc::new(SqliteStore { writer, reader: None, due: Due::default(), instance: instance.into(), clock }))
    }

    async fn write<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fail> + Send + 'static,
    {
        self.writer.call(false, job).await
    }

    /// A step that may change when runs are due; the answer to [`Store::next_due`] is worked out on the way, because
    /// the engine asks for it after every step and a question of its own would cost as much as the step.
    async fn step<T, F>(&self, durable: bool, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fail> + Send + 'static,
    {
        let (me, due) = (Arc::clone(&self.instance), Arc::clone(&self.due));
        let result = self
            .writer
            .call(durable, move |c| {
                let value = job(c)?;
                let next = runs::next_due(c, &me)?;
                note(&due, Some(next));
                Ok(value)
            })
            .await;
        if result.is_err() {
            // Perhaps the transaction was lost with what was noted.
            note(&self.due, None);
        }
        result
    }

    async fn read<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fail> + Send + 'static,
    {
        self.reader.as_ref().unwrap_or(&self.writer).call(false, job).await
    }

    fn now(&self) -> i64 {
        micros(self.clock.now())
    }
}

fn note(due: &Due, next: Option<Option<i64>>) {
    *due.lock().unwrap_or_else(PoisonError::into_inner) = next;
}

/// Makes folder and file, both for the owner's eyes only: runs hold customers' mail.
fn make(dir: &Path, file: &Path) -> Result<(), StoreError> {
    let failed = |what: &Path, e: std::io::Error| {
        StoreError::Failed(format!(
            "cannot make {}: {e}. The user that runs replypath must be able to write there; `daemon.state` names the folder",
            what.display()
        ))
    };
    if !dir.is_dir() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(dir).map_err(|e| failed(dir, e))?;
    }
    if !file.exists() {
        let mut options = std::fs::OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(file).map_err(|e| failed(file, e))?;
    }
    Ok(())
}

fn random_key() -> Result<Vec<u8>, StoreError> {
    let key: [u8; 32] = crate::random::bytes().map_err(|e| StoreError::Failed(format!("no token key can be made: {e}")))?;
    Ok(key.to_vec())
}

#[async_trait]
impl Store for SqliteStore {
    async fn token_key(&self) -> Result<TokenKey, StoreError> {
        let fresh = random_key()?;
        let key = self
            .writer
            .call(true, move |c| {
                c.execute("INSERT OR IGNORE INTO meta (key, value) VALUES ('token_key', ?1)", [fresh])?;
                Ok(c.query_row("SELECT value FROM meta WHERE key = 'token_key'", [], |row| row.get::<_, Vec<u8>>(0))?)
            })
            .await?;
        Ok(TokenKey::new(&key))
    }

    async fn heartbeat(&self, lease: Duration) -> Result<(), StoreError> {
        let (me, now, until) = (Arc::clone(&self.instance), self.now(), micros_after(self.clock.now(), lease));
        self.write(move |c| runs::heartbeat(c, &me, until, now)).await
    }

    async fn sign_off(&self) -> Result<(), StoreError> {
        let (me, now) = (Arc::clone(&self.instance), self.now());
        self.step(false, move |c| runs::give_back_all(c, &me, now)).await
    }

    async fn create_run(&self, run: &Run) -> Result<(), StoreError> {
        let (row, probe, me, now) = (Row::of(run, 0)?, Row::snapshot(run)?, Arc::clone(&self.instance), self.now());
        self.step(false, move |c| runs::create(c, &row, &probe, &me, now)).await
    }

    async fn claim_due(&self, now: Timestamp, limit: usize, adopt: bool) -> Result<Vec<Claimed>, StoreError> {
        let (me, due, now, limit) = (Arc::clone(&self.instance), micros(now), self.now(), count(limit));
        let claims = self.step(false, move |c| runs::claim_due(c, &me, due, now, limit, adopt)).await?;
        Ok(claims.iter().filter_map(readable).collect())
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let known = *self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let me = Arc::clone(&self.instance);
        let next = match known {
            Some(next) => next,
            None => self.read(move |c| runs::next_due(c, &me)).await?,
        };
        Ok(next.map(time))
    }

    async fn commit(&self, step: Step<'_>) -> Result<u64, StoreError> {
        let parts = runs::Move {
            row: Row::of(step.run, step.observations_kept)?,
            epoch: i64::try_from(step.epoch).unwrap_or(i64::MAX),
            due: step.due.map(micros),
            hold: step.hold,
            taken: step.taken.to_vec(),
        };
        let now = self.now();
        let epoch = self.step(step.durable, move |c| runs::commit(c, &parts, now)).await?;
        Ok(epoch.unsigned_abs())
    }

    async fn claim(&self, id: &RunId) -> Result<Option<Claimed>, StoreError> {
        let (me, id, now) = (Arc::clone(&self.instance), id.clone(), self.now());
        let claim = self.step(false, move |c| runs::claim(c, &me, &id, now)).await?;
        claim.map(|claim| claim.parse()).transpose()
    }

    async fn others_by_hand(&self) -> Result<Vec<(RunId, bool)>, StoreError> {
        let (me, now) = (Arc::clone(&self.instance), self.now());
        self.read(move |c| {
            let rows = c
                .prepare_cached(
                    "SELECT r.id, i.id IS NULL FROM runs r LEFT JOIN instances i ON i.id = r.owner AND i.lease_until > ?2
                     WHERE r.phase <> 'finished' AND r.\"trigger\" = 'manual' AND r.owner <> ?1 AND r.due IS NOT NULL ORDER BY r.num",
                )?
                .query_map(params![&*me, now], |row| Ok((RunId(row.get(0)?), row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            Ok(rows)
        })
        .await
    }

    async fn deliver(
        &self,
        account: &str,
        tokens: &[Token],
        message_ids: &[String],
        delivery: &Delivery,
    ) -> Result<Option<RunId>, StoreError> {
        let letter = mail::Letter {
            account: account.to_owned(),
            tokens: tokens.iter().map(|t| t.0.clone()).collect(),
            message_ids: message_ids.to_vec(),
            key: delivery.mail.key.clone(),
            json: serde_json::to_string(delivery).map_err(|e| StoreError::Failed(format!("a mail cannot be stored: {e}")))?,
        };
        let now = self.now();
        self.step(false, move |c| mail::deliver(c, &letter, now)).await
    }

    async fn watched_accounts(&self) -> Result<Vec<(String, Position)>, StoreError> {
        let me = Arc::clone(&self.instance);
        self.read(move |c| mail::watched(c, &me)).await
    }

    async fn wake(&self, run: &RunId) -> Result<(), StoreError> {
        let (id, now) = (run.0.clone(), self.now());
        self.step(false, move |c| runs::wake(c, &id, now)).await
    }

    async fn last_with(&self, probe: &str, verdict: Verdict, not: Option<&RunId>) -> Result<Option<Run>, StoreError> {
        let (probe, not) = (probe.to_owned(), not.map(|run| run.0.clone()));
        let stored = self
            .read(move |c| {
                let found: Option<(i64, String)> = c
                    .prepare_cached(LAST_WITH)?
                    .query_row(params![probe, verdict.as_str(), not], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()?;
                found.map(|(num, id)| runs::load(c, num, id)).transpose()
            })
            .await?;
        stored.map(|stored| stored.parse()).transpose()
    }

    async fn keep(&self, name: &str, sealed: Option<&str>) -> Result<(), StoreError> {
        let (name, sealed) = (name.to_owned(), sealed.map(str::to_owned));
        self.write(move |c| {
            match sealed {
                Some(value) => c.execute("INSERT OR REPLACE INTO kept (name, value) VALUES (?1, ?2)", params![name, value])?,
                None => c.execute("DELETE FROM kept WHERE name = ?1", [name])?,
            };
            Ok(())
        })
        .await
    }

    async fn kept(&self, name: &str) -> Result<Option<String>, StoreError> {
        let name = name.to_owned();
        self.read(move |c| {
            Ok(c.prepare_cached("SELECT value FROM kept WHERE name = ?1")?.query_row([name], |row| row.get(0)).optional()?)
        })
        .await
    }

    async fn budget_take(&self, key: &str, budget: &Budget, now: Timestamp) -> Result<BudgetAnswer, StoreError> {
        let (key, budget) = (key.to_owned(), budget.clone());
        self.write(move |c| budget::take(c, &key, &budget, now)).await
    }

    async fn set_paused(&self, probe: Option<&str>, paused: bool, now: Timestamp) -> Result<(), StoreError> {
        let (probe, now) = (probe.map(str::to_owned), micros(now));
        self.write(move |c| {
            match (probe, paused) {
                (probe, true) => {
                    let probe = probe.unwrap_or_else(|| "*".to_owned());
                    c.execute("INSERT OR IGNORE INTO paused (probe, since) VALUES (?1, ?2)", params![probe, now])?
                }
                (Some(probe), false) => c.execute("DELETE FROM paused WHERE probe = ?1", [probe])?,
                (None, false) => c.execute("DELETE FROM paused", [])?,
            };
            Ok(())
        })
        .await
    }

    async fn paused(&self) -> Result<Vec<String>, StoreError> {
        self.read(|c| {
            let rows =
                c.prepare_cached("SELECT probe FROM paused ORDER BY probe")?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok(rows)
        })
        .await
    }

    async fn last_start(&self, probe: &str) -> Result<Option<Timestamp>, StoreError> {
        let probe = probe.to_owned();
        self.read(move |c| {
            let at = c.prepare_cached("SELECT at FROM starts WHERE probe = ?1")?.query_row([probe], |row| row.get(0)).optional()?;
            Ok(at.map(time))
        })
        .await
    }

    async fn record_skip(&self, probe: &str, reason: &str, now: Timestamp) -> Result<(), StoreError> {
        let (probe, reason, now) = (probe.to_owned(), reason.to_owned(), micros(now));
        self.write(move |c| {
            c.prepare_cached("INSERT INTO skips (probe, at, reason) VALUES (?1, ?2, ?3)")?.execute(params![probe, now, reason])?;
            runs::started(c, &probe, now)
        })
        .await
    }

    async fn has_unfinished(&self, probe: &str) -> Result<bool, StoreError> {
        let probe = probe.to_owned();
        self.read(move |c| Ok(c.prepare_cached(UNFINISHED)?.exists([probe])?)).await
    }

    async fn finished_among(&self, ids: &[RunId]) -> Result<Vec<RunId>, StoreError> {
        let ids = ids.to_vec();
        self.read(move |c| {
            let mut finished = c.prepare_cached("SELECT 1 FROM runs WHERE id = ?1 AND phase = 'finished'")?;
            let mut found = Vec::new();
            for id in ids {
                if finished.exists([id.as_str()])? {
                    found.push(id);
                }
            }
            Ok(found)
        })
        .await
    }

    async fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError> {
        let id = id.0.clone();
        let stored = self
            .read(move |c| {
                let num = c.prepare_cached("SELECT num FROM runs WHERE id = ?1")?.query_row([&id], |row| row.get(0)).optional()?;
                num.map(|num| runs::load(c, num, id)).transpose()
            })
            .await?;
        stored.map(|stored| stored.parse()).transpose()
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>, StoreError> {
        let filter = filter.clone();
        let rows = self.read(move |c| list::runs(c, &filter)).await?;
        rows.iter().map(Stored::parse).collect()
    }

    async fn briefs(&self, probe: &str, limit: usize) -> Result<Vec<Brief>, StoreError> {
        let probe = probe.to_owned();
        let rows = self.read(move |c| list::briefs(c, &probe, limit)).await?;
        rows.into_iter().map(list::StoredBrief::parse).collect()
    }

    async fn standings(&self) -> Result<Vec<ProbeStanding>, StoreError> {
        let rows = self.read(standing::all).await?;
        rows.into_iter().map(|row| row.parse()).collect()
    }

    async fn history(&self, from: Timestamp, until: Timestamp, limit: usize) -> Result<Vec<Judged>, StoreError> {
        let lines = self.read(move |c| history::within(c, from, until, limit)).await?;
        lines.iter().map(|line| history::read(line)).collect()
    }

    async fn troubles(&self, since: Timestamp, limit: usize) -> Result<Vec<Judged>, StoreError> {
        let lines = self.read(move |c| history::troubles(c, since, limit)).await?;
        lines.iter().map(|line| history::read(line)).collect()
    }

    async fn prune(&self, retention: &Retention, now: Timestamp) -> Result<u64, StoreError> {
        let mut gone = 0;
        loop {
            let keep = retention.clone();
            let portion = self.write(move |c| prune::runs(c, &keep, now)).await?;
            gone += portion as u64;
            if portion < prune::PORTION {
                break;
            }
        }
        loop {
            let keep = retention.clone();
            let found = self.read(move |c| prune::with_texts(c, &keep, now)).await?;
            let stripped: Vec<_> = found.into_iter().map(prune::Texts::strip).collect();
            let last = stripped.len() < prune::PORTION;
            self.write(move |c| prune::store_stripped(c, &stripped)).await?;
            if last {
                break;
            }
        }
        let keep = retention.clone();
        self.write(move |c| prune::rest(c, &keep, now)).await?;
        Ok(gone)
    }
}

/// One unreadable run must not keep the others from being worked on; it stays in hand until the next start.
fn readable(claim: &StoredClaim) -> Option<Claimed> {
    match claim.parse() {
        Ok(claimed) => Some(claimed),
        Err(error) => {
            tracing::error!(run = claim.stored.id, %error, "a stored run is left alone");
            None
        }
    }
}
