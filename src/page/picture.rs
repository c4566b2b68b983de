//! Pictures of the browser, as far as a run's evidence names them.

use crate::model::Run;
use std::path::Path;

/// The folder below the store's in which pictures lie.
const FOLDER: &str = "screenshots";
/// A larger file is no picture of ours.
const LARGEST: u64 = 8_000_000;

/// The file name of a fact `screenshots/NAME.png`; none for anything else.
pub fn name_of(fact: &str) -> Option<&str> {
    let name = fact.strip_prefix(FOLDER)?.strip_prefix('/')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (name.chars().all(plain) && name.ends_with(".png") && !name.starts_with('.')).then_some(name)
}

/// The picture of that name, if the run's evidence names it and it is there.
pub async fn read(run: &Run, name: &str, state: &Path) -> Option<Vec<u8>> {
    let facts = run.observations.iter().filter_map(|o| o.facts.get("screenshot").and_then(|f| f.as_str()));
    facts.filter_map(name_of).find(|known| *known == name)?;
    let path = state.join(FOLDER).join(name);
    let found = tokio::fs::metadata(&path).await.ok()?;
    if !found.is_file() || found.len() > LARGEST {
        return None;
    }
    tokio::fs::read(&path).await.ok()
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn only_a_plain_name_in_the_one_folder_is_a_picture() {
        assert_eq!(name_of("screenshots/r-1-send.png"), Some("r-1-send.png"));
        for bad in ["screenshots/../replypath.db", "screenshots/a/b.png", "/etc/x.png", "screenshots/.png", "screenshots/x.svg", "x.png"] {
            assert_eq!(name_of(bad), None, "{bad}");
        }
    }
}
