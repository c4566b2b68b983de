//! `[canaries]` of a probe file.

use super::catalog::DeskDefinition;
use super::probes::{Known, reference};
use super::read::{At, Doc};
use super::shape::{CanariesShape, ProbeShape};
use crate::model::{Canaries, Capability};

/// Checks `[canaries]`.
pub fn canaries(
    shape: &CanariesShape,
    probe: &ProbeShape,
    desk: Option<&dyn DeskDefinition>,
    known: &Known<'_>,
    doc: &mut Doc,
) -> Canaries {
    let on = |key: &Option<At<bool>>| key.as_ref().is_some_and(|k| k.value);
    if let Some(note) = shape.note.as_ref().filter(|n| n.value) {
        if probe.desk.is_none() {
            doc.problem(note.span.clone(), "without a `desk` nobody can leave a note", "name a `desk`, or take `note` out".to_owned());
        } else if desk.is_some_and(|d| !d.capabilities().contains(&Capability::Note)) {
            let help = "take `note` out, or use a definition that can".to_owned();
            doc.problem(note.span.clone(), "this desk cannot leave notes: its definition has no `note`", help);
        }
    }
    if let Some(fresh) = shape.fresh_visitor.as_ref().filter(|f| f.value && probe.chat.is_none()) {
        doc.problem(fresh.span.clone(), "`fresh_visitor` goes with [chat]", "take it out".to_owned());
    }
    if let Some(cc) = shape.cc.as_ref().filter(|_| probe.email.is_none()) {
        doc.problem(cc.span.clone(), "`cc` goes with [email]: only a mail has copies", "take it out".to_owned());
    }
    Canaries {
        note: on(&shape.note),
        second: other_account("second", shape.second.as_ref(), probe, known, doc),
        cc: other_account("cc", shape.cc.as_ref(), probe, known, doc),
        fresh_visitor: on(&shape.fresh_visitor),
    }
}

/// An account that is not the probe's own.
fn other_account(key: &str, account: Option<&At<String>>, probe: &ProbeShape, known: &Known<'_>, doc: &mut Doc) -> Option<String> {
    let account = account?;
    reference(account, "account", &known.accounts, known.complete, doc)?;
    if probe.account.as_ref().is_some_and(|own| own.value == account.value) {
        let help = "name another [accounts.KEY]".to_owned();
        doc.problem(account.span.clone(), format!("`{key}` must be somebody else: `{}` is the probe's own account", account.value), help);
    }
    Some(account.value.clone())
}
