//! Why a job of the store failed, and how that is told: the file, what happened, what to do next.

use crate::engine::ports::StoreError;
use crate::model::RunId;
use rusqlite::ErrorCode;

/// A job's failure before it is put into words for the caller.
#[derive(Debug)]
pub(super) enum Fail {
    /// SQLite refused.
    Sql(rusqlite::Error),
    /// The run is no longer at the expected epoch.
    Conflict(RunId),
    /// Anything else, already in words.
    Text(String),
}

impl From<rusqlite::Error> for Fail {
    fn from(error: rusqlite::Error) -> Fail {
        Fail::Sql(error)
    }
}

impl Fail {
    /// The error for the caller; `file` is the database as the user knows it.
    pub(super) fn into_store(self, file: &str) -> StoreError {
        match self {
            Fail::Conflict(id) => StoreError::Conflict(id),
            Fail::Text(text) => StoreError::Failed(text),
            Fail::Sql(error) => StoreError::Failed(explain(file, &error)),
        }
    }
}

/// A SQLite error in words that name the file and the next step.
pub(super) fn explain(file: &str, error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => format!(
            "the store {file} stays locked by another program; nothing was stored. \
             See which one with `fuser -v {file}`: a backup or an open sqlite3 shell must end first"
        ),
        Some(ErrorCode::DiskFull) => format!(
            "the disk that holds the store {file} is full; nothing was stored. \
             Free some space (`df -h`), or shorten `keep_passed` and `keep_failed`"
        ),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => format!(
            "the store {file} is damaged ({error}). Stop replypath and move the file and its -wal and -shm neighbours away; \
             then put a backup in its place, try `sqlite3 OLD .recover | sqlite3 {file}`, or start without one (history is lost, probes are not)"
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen | ErrorCode::AuthorizationForStatementDenied) => {
            format!(
                "the store {file} cannot be opened for writing ({error}). \
                 The user that runs replypath must own the file and its folder, and the disk must not be mounted read-only"
            )
        }
        Some(ErrorCode::SystemIoFailure) => {
            format!(
                "reading or writing the store {file} failed ({error}); nothing was stored. Check the disk and the kernel's log (`dmesg`)"
            )
        }
        _ => format!("the store {file} refused a step ({error}); nothing was stored. This is a defect of replypath: please report it"),
    }
}
