//! The rules that narrow a list of causes, by what was asked: other runs of the same minutes, controls, the intake mailbox.

mod around;
mod outside;

use crate::model::{Run, Stage};

/// The causes that remain of `candidates` for a run that failed at `stage`. The nearest look speaks last: a control of this
/// run tells more than what another run saw by the way.
pub(super) fn narrowed(run: &Run, stage: Stage, candidates: Vec<String>) -> Vec<String> {
    outside::narrowed(run, stage, around::narrowed(run, stage, candidates))
}
