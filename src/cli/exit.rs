//! The exit codes, in one table: what the program ends with, what `--help` prints, what the tests ask for.

use crate::model::Verdict;

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All passed.
    Passed,
    /// At least one reply path failed.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// A configuration file is faulty.
    Configuration,
    /// Nothing was selected, or a name that nobody has.
    Nothing,
    /// We could not tell: our own trouble.
    Unknown,
    /// Stopped by the user, after clean-up.
    Interrupted,
}

impl Exit {
    /// Every way to end, in the order of the table.
    pub const ALL: [Exit; 7] =
        [Exit::Passed, Exit::Failed, Exit::Usage, Exit::Configuration, Exit::Nothing, Exit::Unknown, Exit::Interrupted];

    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Passed => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Configuration => 3,
            Exit::Nothing => 4,
            Exit::Unknown => 5,
            Exit::Interrupted => 130,
        }
    }

    /// The table's text for this code.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Passed => "everything asked for worked; every run passed",
            Exit::Failed => "a reply path failed (also when another run is unknown)",
            Exit::Usage => "usage: an unknown option, or `run` without a selection",
            Exit::Configuration => "configuration: a file is faulty or missing",
            Exit::Nothing => "nothing selected: no such probe, tag, run or fault",
            Exit::Unknown => "unknown: our own trouble, nothing is said about the desk",
            Exit::Interrupted => "interrupted, after clean-up",
        }
    }

    /// What a set of verdicts ends with: a failure wins over an unknown, an unknown over a pass.
    pub fn of_verdicts(verdicts: impl IntoIterator<Item = Verdict>) -> Exit {
        verdicts.into_iter().fold(Exit::Passed, |exit, verdict| match (exit, verdict) {
            (_, Verdict::Fail) | (Exit::Failed, _) => Exit::Failed,
            (_, Verdict::Unknown) | (Exit::Unknown, _) => Exit::Unknown,
            _ => Exit::Passed,
        })
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        std::process::ExitCode::from(exit.code())
    }
}

/// The table as it stands in `--help`.
pub fn table() -> String {
    let mut text = String::from("Exit codes:\n");
    for exit in Exit::ALL {
        text.push_str(&format!("  {:>3}  {}\n", exit.code(), exit.meaning()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_wins_over_an_unknown_and_an_unknown_over_a_pass() {
        use Verdict::{Fail, Pass, Unknown};
        assert_eq!(Exit::of_verdicts([]), Exit::Passed);
        assert_eq!(Exit::of_verdicts([Pass, Pass]), Exit::Passed);
        assert_eq!(Exit::of_verdicts([Pass, Unknown, Pass]), Exit::Unknown);
        assert_eq!(Exit::of_verdicts([Unknown, Fail, Pass]), Exit::Failed);
        assert_eq!(Exit::of_verdicts([Fail, Unknown]), Exit::Failed);
    }

    #[test]
    fn the_codes_are_those_of_the_documented_table() {
        assert_eq!(Exit::ALL.map(Exit::code), [0, 1, 2, 3, 4, 5, 130]);
    }
}
