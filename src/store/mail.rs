//! Mail that listeners hand in, and the mailboxes on which runs wait.

use super::failure::Fail;
use super::rows::time;
use crate::model::{MailKey, Position, RunId};
use rusqlite::{Connection, OptionalExtension, params};

pub(super) const NEXT_ACCOUNT: &str = "SELECT account, position_at, position_uidvalidity, position_uid_next FROM runs
     WHERE owner = ?1 AND due IS NOT NULL AND position_at IS NOT NULL AND account > ?2 ORDER BY account, position_at LIMIT 1";

/// A mail as the writer gets it.
pub(super) struct Letter {
    pub(super) account: String,
    pub(super) tokens: Vec<String>,
    pub(super) message_ids: Vec<String>,
    pub(super) key: MailKey,
    pub(super) json: String,
}

/// Stores the mail for the run that owns it, once, and makes that run due.
pub(super) fn deliver(connection: &Connection, letter: &Letter, now: i64) -> Result<Option<RunId>, Fail> {
    let Some(run) = owner(connection, letter)? else { return Ok(None) };
    let key = &letter.key;
    let stored = connection
        .prepare_cached("INSERT OR IGNORE INTO deliveries (run, account, folder, uidvalidity, uid, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![run, letter.account, key.folder, key.uidvalidity, key.uid, letter.json])?;
    if stored > 0 {
        connection.prepare_cached("UPDATE runs SET due = min(coalesce(due, ?2), ?2) WHERE num = ?1")?.execute([run, now])?;
    }
    let id = connection.prepare_cached("SELECT id FROM runs WHERE num = ?1")?.query_row([run], |row| row.get(0)).optional()?;
    Ok(id.map(RunId))
}

fn owner(connection: &Connection, letter: &Letter) -> Result<Option<i64>, Fail> {
    let mut by_token = connection.prepare_cached("SELECT run FROM tokens WHERE token = ?1")?;
    for token in &letter.tokens {
        if let Some(run) = by_token.query_row([token], |row| row.get(0)).optional()? {
            return Ok(Some(run));
        }
    }
    let mut by_id = connection.prepare_cached("SELECT run FROM message_ids WHERE id = ?1")?;
    for id in &letter.message_ids {
        if let Some(run) = by_id.query_row([id], |row| row.get(0)).optional()? {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

/// The accounts on which runs of `instance` wait, each with its earliest position: one index look-up an account.
pub(super) fn watched(connection: &Connection, instance: &str) -> Result<Vec<(String, Position)>, Fail> {
    let mut next = connection.prepare_cached(NEXT_ACCOUNT)?;
    let mut accounts: Vec<(String, Position)> = Vec::new();
    loop {
        let last = accounts.last().map_or("", |a| a.0.as_str());
        let found = next
            .query_row(params![instance, last], |row| {
                let position = Position { at: time(row.get(1)?), uidvalidity: row.get(2)?, uid_next: row.get(3)? };
                Ok((row.get::<_, String>(0)?, position))
            })
            .optional()?;
        match found {
            Some(account) => accounts.push(account),
            None => return Ok(accounts),
        }
    }
}
