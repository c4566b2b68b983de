//! IDLE (RFC 2177) on our own lines.
//!
//! The package's IDLE expects `+` as the very first line, panics on a tagged OK in its place, loses an
//! EXISTS that comes before it, and cannot be interrupted without losing the session.

use super::{Fail, ImapSession, clean};
use crate::engine::ports::Trouble;
use crate::mail::stream::Line;
use crate::model::ResultClass;
use std::time::{Duration, Instant};

/// How an IDLE ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleEnd {
    /// The server announced a change.
    Announced,
    /// The time was over.
    TimedOut,
    /// Another thread wants something.
    Woken,
    /// The server does not do it, whatever it claimed.
    NotSupported,
}

impl ImapSession {
    /// Waits in IDLE for at most `period`.
    ///
    /// # Errors
    /// [`Fail::Lost`] when the server hung up or does not answer.
    pub fn idle(&mut self, period: Duration) -> Result<IdleEnd, Fail> {
        let tag = self.next_tag("idle");
        self.wire.send(&format!("{tag} IDLE")).map_err(|e| self.lost("IDLE", &e))?;
        self.idle_unanswered = true;
        let mut announced = false;
        // One limit for all lines: a server that talks of other things owes the answer all the same.
        let limit = Instant::now() + self.wire.limits().silence;
        loop {
            let line = self.idle_answer("IDLE", limit)?;
            if line.starts_with('+') {
                self.idle_unanswered = false;
                break;
            }
            if line.starts_with(&tag) {
                self.idle_unanswered = false;
                return Ok(IdleEnd::NotSupported);
            }
            announced |= self.hear(&line)?;
        }
        let end = Instant::now() + period;
        let mut outcome = if announced { IdleEnd::Announced } else { IdleEnd::TimedOut };
        while !announced {
            match self.wire.read_line(end, true).map_err(|e| self.lost("IDLE", &e))? {
                Line::TimedOut => break,
                Line::Woken => {
                    outcome = IdleEnd::Woken;
                    break;
                }
                // The server ended it by itself; a look at the mailbox follows anyway.
                Line::Text(line) if line.starts_with(&tag) => return Ok(IdleEnd::TimedOut),
                Line::Text(line) => {
                    announced = self.hear(&line)?;
                    if announced {
                        outcome = IdleEnd::Announced;
                    }
                }
            }
        }
        self.wire.send("DONE").map_err(|e| self.lost("IDLE", &e))?;
        let limit = Instant::now() + self.wire.limits().silence;
        loop {
            let line = self.idle_answer("leaving IDLE", limit)?;
            if line.starts_with(&tag) {
                // Said once is enough: the look that follows sees all of it.
                self.heard &= outcome != IdleEnd::Announced;
                return Ok(outcome);
            }
            self.hear(&line)?;
        }
    }

    fn idle_answer(&mut self, doing: &str, limit: Instant) -> Result<String, Fail> {
        match self.wire.read_line(limit, false).map_err(|e| self.lost(doing, &e))? {
            Line::Text(line) => Ok(line),
            _ => Err(self.lost(doing, &std::io::Error::other("the server did not answer in time"))),
        }
    }

    /// True when an untagged line tells of a change. The counters in it are not used.
    pub(super) fn hear(&mut self, line: &str) -> Result<bool, Fail> {
        let Some(rest) = line.strip_prefix("* ") else { return Ok(false) };
        let mut parts = rest.split(' ');
        let first = parts.next().unwrap_or_default();
        if first.eq_ignore_ascii_case("BYE") {
            let text = format!("IMAP server {}: the server closed the connection and says: {}", self.place, clean(rest, 4));
            return Err(Fail::Lost(Trouble::new(ResultClass::Unavailable, "mailbox-unavailable", text)));
        }
        let what = parts.next().unwrap_or_default();
        let counted = !first.is_empty() && first.bytes().all(|b| b.is_ascii_digit());
        let change = counted && (what.eq_ignore_ascii_case("EXISTS") || what.eq_ignore_ascii_case("RECENT") && first != "0");
        self.heard |= change;
        Ok(change)
    }
}
