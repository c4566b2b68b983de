//! Which stages a probe takes, whether that makes sense, and whether its desk can answer them.

use super::catalog::DeskDefinition;
use super::read::{At, Doc};
use super::shape::ProbeShape;
use crate::model::{AfterStage, Capability, CleanUp, FollowUpTo, ReplyMode, Stage};
use std::collections::BTreeSet;

const DESK_STAGES: [Stage; 5] = [Stage::Land, Stage::Queue, Stage::Format, Stage::Reply, Stage::FollowUp];

/// What decides which stages make sense.
pub struct Journey<'a> {
    /// The probe's keys.
    pub shape: &'a ProbeShape,
    /// The desk's key, and what its definition can do where that is known.
    pub desk: Option<(&'a At<String>, Option<&'a dyn DeskDefinition>)>,
    /// Who answers.
    pub mode: ReplyMode,
    /// After what.
    pub after: AfterStage,
    /// Which mail the customer answers.
    pub follow_up_to: FollowUpTo,
    /// Whether the ticket is closed before.
    pub after_close: bool,
    /// What becomes of the ticket.
    pub clean_up: CleanUp,
}

impl Journey<'_> {
    /// The stages, after every check.
    pub fn stages(&self, doc: &mut Doc) -> BTreeSet<Stage> {
        let stages = self.chosen(doc);
        if self.sense(&stages, doc) {
            self.needs(&stages, doc);
            self.desk_can(&stages, doc);
        }
        stages
    }

    fn chosen(&self, doc: &mut Doc) -> BTreeSet<Stage> {
        if let (Some(only), Some(_)) = (&self.shape.only, &self.shape.skip) {
            doc.problem(only.span.clone(), "`skip` and `only` stand together", "keep one of both".to_owned());
        }
        match (&self.shape.only, &self.shape.skip) {
            (Some(only), _) => only.value.0.iter().map(|s| s.value).collect(),
            (None, Some(skip)) => Stage::ALL.into_iter().filter(|s| !skip.value.0.iter().any(|k| k.value == *s)).collect(),
            (None, None) => Stage::ALL.into_iter().collect(),
        }
    }

    /// Whether there is a journey at all; without one, further remarks would only be noise.
    fn sense(&self, stages: &BTreeSet<Stage>, doc: &mut Doc) -> bool {
        if !stages.contains(&Stage::Send) {
            let help = match self.shape.only {
                Some(_) => "add `send` to `only`: every journey begins with it",
                None => "every journey begins with it",
            };
            doc.problem(self.place(Stage::Send), "`send` cannot be left out", help.to_owned());
            return false;
        }
        let blind: Vec<&str> = DESK_STAGES.iter().filter(|s| stages.contains(s)).map(|s| s.as_str()).collect();
        if self.desk.is_none() && self.shape.desk.is_none() && !blind.is_empty() {
            let place = self.shape.only.as_ref().map(|o| o.span.clone()).or(self.shape.skip.as_ref().map(|s| s.span.clone()));
            let help = match self.shape.only {
                Some(_) => format!("take {} out of `only`, or name a `desk`", quoted(&blind)),
                None => {
                    let left: Vec<&str> =
                        Stage::ALL.into_iter().filter(|s| !stages.contains(s) || blind.contains(&s.as_str())).map(Stage::as_str).collect();
                    format!("write skip = [{}], or name a `desk`", left.iter().map(|s| format!("\"{s}\"")).collect::<Vec<_>>().join(", "))
                }
            };
            doc.problem(place, format!("without a `desk` nobody can look at {}", quoted(&blind)), help);
            return false;
        }
        true
    }

    fn needs(&self, stages: &BTreeSet<Stage>, doc: &mut Doc) {
        let mut needs: Vec<(Stage, Stage, &str)> = DESK_STAGES[1..].iter().map(|s| (*s, Stage::Land, "")).collect();
        if self.mode == ReplyMode::Post {
            needs.push((Stage::Return, Stage::Reply, ""));
        }
        match self.follow_up_to {
            FollowUpTo::Agent => needs.push((Stage::FollowUp, Stage::Return, " with to = \"agent\"")),
            FollowUpTo::Acknowledgement => needs.push((Stage::FollowUp, Stage::Acknowledge, " with to = \"acknowledgement\"")),
            FollowUpTo::Own => {}
        }
        if self.after == AfterStage::Acknowledge {
            needs.push((Stage::Reply, Stage::Acknowledge, " with after = \"acknowledge\""));
        }
        needs.retain(|(stage, needed, _)| stages.contains(stage) && !stages.contains(needed));
        if self.shape.only.is_some() {
            for (stage, needed, with) in needs {
                let help = format!("add `{needed}` to `only`, or take `{stage}` out");
                doc.problem(self.place(stage), format!("`{stage}`{with} needs the stage `{needed}`, which is left out"), help);
            }
        } else {
            for needed in Stage::ALL {
                let all = needs.iter().filter(|n| n.1 == needed);
                let (names, words): (Vec<&str>, Vec<String>) =
                    all.map(|(stage, _, with)| (stage.as_str(), format!("`{stage}`{with}"))).unzip();
                if let Some(first) = names.first() {
                    let verb = if names.len() == 1 { "needs" } else { "need" };
                    let too = if names.len() == 1 { format!("`{first}`") } else { "them".to_owned() };
                    let help = format!("leave {too} out too, or take `{needed}` out of `skip`");
                    doc.problem(self.place(needed), format!("{} {verb} the stage `{needed}`, which is left out", listed(&words)), help);
                }
            }
        }
        if let Some(mark) = self.shape.mark.as_ref().filter(|_| !stages.contains(&Stage::Land)) {
            doc.problem(
                mark.span.clone(),
                "`mark` needs the stage `land`, which is left out",
                "a ticket that nobody looks for cannot be tagged".to_owned(),
            );
        }
    }

    /// Refuses stages that the definition has no means for.
    fn desk_can(&self, stages: &BTreeSet<Stage>, doc: &mut Doc) {
        let Some((desk, Some(facts))) = self.desk else { return };
        let lacks = |needed: &[Capability]| needed.iter().copied().find(|c| !facts.capabilities().contains(c));
        for stage in stages {
            if let Some(missing) = lacks(self.capabilities(*stage)) {
                let message = format!(
                    "desk `{}` cannot answer the stage `{stage}`: its definition has no `{}`",
                    desk.value,
                    capability_name(missing)
                );
                let place = if self.shape.only.is_some() { self.place(*stage) } else { Some(desk.span.clone()) };
                doc.problem(place, message, format!("leave `{stage}` out, or use a definition that can"));
            }
        }
        let mut extra = Vec::new();
        if let Some(mark) = self.shape.mark.as_ref().filter(|_| stages.contains(&Stage::Land)) {
            extra.push((Capability::Mark, mark.span.clone(), "tag tickets", "take `mark` out"));
        }
        let closing = self.shape.follow_up.as_ref().and_then(|f| f.value.after_close.as_ref());
        if self.after_close && stages.contains(&Stage::FollowUp) {
            let place = closing.map_or(desk.span.clone(), |c| c.span.clone());
            extra.push((Capability::Close, place, "close tickets", "take `after_close` out"));
        }
        if let Some(queue) =
            self.shape.follow_up.as_ref().and_then(|f| f.value.after_move.as_ref()).filter(|_| stages.contains(&Stage::FollowUp))
        {
            extra.push((Capability::Move, queue.span.clone(), "move tickets", "take `after_move` out"));
        }
        if stages.contains(&Stage::CleanUp) {
            let place = self.shape.clean_up.as_ref().map_or(desk.span.clone(), |c| c.span.clone());
            match self.clean_up {
                CleanUp::Close => extra.push((Capability::Close, place, "close tickets", "write clean_up = \"keep\" or \"delete\"")),
                CleanUp::Delete => extra.push((Capability::Delete, place, "delete tickets", "write clean_up = \"close\" or \"keep\"")),
                CleanUp::Keep => {}
            }
        }
        for (needed, place, what, help) in extra {
            if lacks(&[needed]).is_some() {
                let message = format!("desk `{}` cannot {what}: its definition has no `{}`", desk.value, capability_name(needed));
                doc.problem(place, message, help.to_owned());
            }
        }
    }

    fn capabilities(&self, stage: Stage) -> &'static [Capability] {
        use Capability::{Find, Messages, Read, Reply};
        match stage {
            Stage::Land => &[Find],
            Stage::Queue => &[Find, Read],
            Stage::Format => &[Find, Read, Messages],
            Stage::Reply if self.mode == ReplyMode::Post => &[Find, Messages, Reply],
            Stage::Reply | Stage::FollowUp => &[Find, Messages],
            Stage::Send | Stage::Accept | Stage::Acknowledge | Stage::Return | Stage::CleanUp => &[],
        }
    }

    /// Where the user wrote of a stage: its word in `only` or `skip`, else the whole list.
    fn place(&self, stage: Stage) -> Option<std::ops::Range<usize>> {
        let list = self.shape.only.as_ref().or(self.shape.skip.as_ref())?;
        Some(list.value.0.iter().find(|s| s.value == stage).map_or(list.span.clone(), |s| s.span.clone()))
    }
}

fn quoted(words: &[&str]) -> String {
    listed(&words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>())
}

fn listed(words: &[String]) -> String {
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// A capability's name in desk files.
pub fn capability_name(capability: Capability) -> &'static str {
    match capability {
        Capability::Find => "find",
        Capability::Read => "read",
        Capability::Messages => "messages",
        Capability::Reply => "reply",
        Capability::Note => "note",
        Capability::Close => "close",
        Capability::Delete => "delete",
        Capability::Move => "move",
        Capability::Mark => "mark",
        Capability::History => "history",
        Capability::Health => "health",
        Capability::Files => "files",
        Capability::Presence => "presence",
        Capability::Chat => "chat",
        Capability::Create => "create",
    }
}
