//! `replypath init`: a configuration to begin with.

use std::io::Write;
use std::path::{Path, PathBuf};

/// The `replypath.toml` that is written.
pub const CONFIG: &str = include_str!("init/replypath.toml");
/// The `probes/example.toml` that is written.
pub const PROBE: &str = include_str!("init/example.toml");

/// Why nothing, or not everything, was written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Files are there already; nothing was written.
    #[error("{} already there, nothing was written: choose another folder or move {} away", shown(.0), if .0.len() == 1 { "it" } else { "them" })]
    Exists(Vec<PathBuf>),
    /// The file system refused.
    #[error("{}: {}", .path.display(), super::accounts::in_words(.source))]
    Failed {
        /// What could not be written.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn shown(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
    format!("{} {}", names.join(" and "), if names.len() == 1 { "is" } else { "are" })
}

/// Writes a commented `replypath.toml` and `probes/example.toml` into `dir`, which is made when missing.
/// Never writes over a file. Returns what was written.
pub fn init(dir: &Path) -> Result<Vec<PathBuf>, InitError> {
    let files = [(dir.join("replypath.toml"), CONFIG), (dir.join("probes").join("example.toml"), PROBE)];
    let there: Vec<PathBuf> = files.iter().map(|(path, _)| path.clone()).filter(|path| path.symlink_metadata().is_ok()).collect();
    if !there.is_empty() {
        return Err(InitError::Exists(there));
    }
    let folder = dir.join("probes");
    std::fs::create_dir_all(&folder).map_err(|source| InitError::Failed { path: folder, source })?;
    let mut written = Vec::new();
    for (path, text) in files {
        // `create_new` decides once more: somebody may have written it meanwhile.
        let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
        let done = file.and_then(|mut f| f.write_all(text.as_bytes()));
        done.map_err(|source| InitError::Failed { path: path.clone(), source })?;
        written.push(path);
    }
    Ok(written)
}
