//! What each control is: a small probe derived from the one that failed.

use super::ports::Directory;
use crate::model::{
    Canaries, Channel, CleanUp, ControlKind, Controls, EmailChannel, Expect, FollowUp, FollowUpTo, FormBy, FormChannel, Policy, Probe,
    Reply, ReplyMode, Run, Stage,
};
use std::collections::BTreeSet;
use std::time::Duration;

const SUBJECT: &str = "A question about my order (${token})";
const TEXT: &str = "Hello,\n\ncould you please tell me when my order will be sent?\n\nReference: ${token}\n\nBest wishes\n${customer}";
const ANSWER: &str = "Hello,\n\nit will be sent this week.\n\nReference: ${token}";

/// A control that can be started.
pub(super) struct Ask {
    /// What runs.
    pub(super) probe: Probe,
    /// The address that it writes from.
    pub(super) address: String,
    /// The name beside it.
    pub(super) display_name: String,
}

/// The control's name in acts and probe names.
pub(super) fn word(kind: &ControlKind) -> String {
    match kind {
        ControlKind::Plain => "plain".to_owned(),
        ControlKind::System => "system".to_owned(),
        ControlKind::Account => "account".to_owned(),
        ControlKind::Outbound => "outbound".to_owned(),
        ControlKind::Loop => "loop".to_owned(),
        ControlKind::Visit => "visit".to_owned(),
        ControlKind::Probe(name) => format!("probe {name}"),
    }
}

/// Derives the control, or says why it cannot be run. `failed` is the stage whose look-alikes it separates; `recipe` is the
/// desk's way to make a ticket without mail.
pub(super) fn plan(run: &Run, kind: &ControlKind, failed: Stage, directory: &dyn Directory, recipe: Option<String>) -> Result<Ask, String> {
    let own = |probe| ask(run, probe);
    match kind {
        ControlKind::Plain => {
            let base = run.probe.variant_of.as_ref().and_then(|name| directory.probe(name));
            let to = base.as_ref().and_then(main_address).or_else(|| own_main_address(&run.probe));
            own(by_mail(run, kind, failed, to.ok_or("the probe writes to no address")?))
        }
        ControlKind::System => {
            let system = email(&run.probe).and_then(|e| e.system.clone());
            own(by_mail(run, kind, failed, system.ok_or("no system address is configured")?))
        }
        ControlKind::Account => {
            let key = run.probe.controls.account.clone().ok_or("no second account is configured")?;
            let account = directory.account(&key).ok_or(format!("no account `{key}` is configured"))?;
            let to = own_main_address(&run.probe).ok_or("the probe writes to no address")?;
            let mut probe = by_mail(run, kind, failed, to);
            probe.account = key;
            probe.name = name(kind, failed, &probe);
            Ok(Ask { probe, address: account.address, display_name: account.display_name })
        }
        ControlKind::Outbound => own(outbound(run, recipe.ok_or("the desk's definition makes no ticket without mail")?)),
        ControlKind::Loop => own(to_itself(run)),
        ControlKind::Probe(name) => {
            let mut probe = directory.probe(name).ok_or(format!("no probe `{name}` is configured"))?;
            let account = directory.account(&probe.account).ok_or(format!("no account `{}` is configured", probe.account))?;
            probe.controls = Controls { probes: Vec::new(), built_in: false, account: None };
            probe.canaries = Canaries::default();
            (probe.settle, probe.watch_after) = (Duration::ZERO, Duration::ZERO);
            probe.stages.retain(|s| *s <= failed || *s == Stage::CleanUp);
            Ok(Ask { probe, address: account.address, display_name: account.display_name })
        }
        ControlKind::Visit => Err("a visit is no run".to_owned()),
    }
}

fn ask(run: &Run, probe: Probe) -> Result<Ask, String> {
    Ok(Ask { probe, address: run.address.clone(), display_name: run.display_name.clone().unwrap_or_default() })
}

fn email(probe: &Probe) -> Option<&EmailChannel> {
    match &probe.channel {
        Channel::Email(email) => Some(email),
        Channel::Form(_) | Channel::Chat(_) => None,
    }
}

fn main_address(probe: &Probe) -> Option<String> {
    email(probe)?.to.first().cloned()
}

/// The last of To: a foreign address may stand before the desk's own.
fn own_main_address(probe: &Probe) -> Option<String> {
    email(probe)?.to.last().cloned()
}

/// A plain mail to `to`, followed as far as the stage in question.
fn by_mail(run: &Run, kind: &ControlKind, failed: Stage, to: String) -> Probe {
    let mut stages = BTreeSet::from([Stage::Send, Stage::Accept, Stage::Land, Stage::CleanUp]);
    if failed >= Stage::Acknowledge {
        stages.insert(Stage::Acknowledge);
    }
    let channel = Channel::Email(EmailChannel { to: vec![to], ..plain_mail() });
    let mut probe = derived(&run.probe, channel, stages);
    probe.name = name(kind, failed, &probe);
    probe
}

fn plain_mail() -> EmailChannel {
    EmailChannel { subject: SUBJECT.to_owned(), text: TEXT.to_owned(), ..EmailChannel::default() }
}

fn outbound(run: &Run, recipe: String) -> Probe {
    let page = match &run.probe.channel {
        Channel::Form(form) => form.page.clone(),
        Channel::Email(_) | Channel::Chat(_) => None,
    };
    let channel = Channel::Form(FormChannel {
        page,
        by: FormBy::Recipe(recipe),
        subject: SUBJECT.to_owned(),
        text: TEXT.to_owned(),
        fields: Vec::new(),
        attachments: Vec::new(),
        attachments_in: None,
        form: None,
        submit: None,
        thanks: None,
        number: None,
        dwell: Duration::ZERO,
    });
    let stages = BTreeSet::from([Stage::Send, Stage::Accept, Stage::Land, Stage::Reply, Stage::Return, Stage::CleanUp]);
    let mut probe = derived(&run.probe, channel, stages);
    probe.name = name(&ControlKind::Outbound, Stage::Return, &probe);
    probe
}

fn to_itself(run: &Run) -> Probe {
    let channel = Channel::Email(EmailChannel { to: vec![run.address.clone()], ..plain_mail() });
    let mut probe = derived(&run.probe, channel, BTreeSet::from([Stage::Send, Stage::Return, Stage::CleanUp]));
    probe.desk = None;
    probe.name = name(&ControlKind::Loop, Stage::Return, &probe);
    probe
}

/// The failing probe with another message, the stages that are needed, and nothing that lasts.
fn derived(probe: &Probe, channel: Channel, stages: BTreeSet<Stage>) -> Probe {
    Probe {
        name: String::new(),
        description: format!("control of {}", probe.name),
        gateway: format!("{} control", probe.gateway),
        tags: Vec::new(),
        schedule: None,
        maintenance: Vec::new(),
        stages,
        channel,
        expect: Expect { created_within: probe.expect.created_within, ..Expect::default() },
        reply: Reply {
            mode: ReplyMode::Post,
            after: crate::model::AfterStage::Land,
            text: ANSWER.to_owned(),
            html: None,
            attachments: Vec::new(),
        },
        follow_up: FollowUp {
            to: FollowUpTo::Agent,
            text: String::new(),
            after_close: false,
            reopens: true,
            after_move: None,
            quote: Default::default(),
            automatic: false,
        },
        // The answer of a control is looked for; how it is threaded is no question of it.
        policy: Policy { threading: crate::model::Require::Ignored, noreply_allowed: true, ..Policy::default() },
        mark: None,
        clean_up: if probe.clean_up == CleanUp::Keep { CleanUp::Keep } else { CleanUp::Close },
        settle: Duration::ZERO,
        watch_after: Duration::ZERO,
        variant_of: None,
        controls: Controls { probes: Vec::new(), built_in: false, account: None },
        intake: None,
        canaries: Canaries::default(),
        calendar: None,
        ..probe.clone()
    }
}

/// By its name a control is found by others who would ask the same: kind, stage, desk, account and address.
fn name(kind: &ControlKind, failed: Stage, probe: &Probe) -> String {
    let about = if failed >= Stage::Acknowledge { failed } else { Stage::Land };
    let to = main_address(probe).unwrap_or_default().to_lowercase();
    let desk = probe.desk.as_deref().unwrap_or("no desk");
    format!("control {} {about} {desk} {} {to}", word(kind), probe.account).trim_end().to_owned()
}
