//! Variants, controls, intakes, calendars and canaries reach the probe.

use crate::shared::{MAIN, PROBE, loaded};
use replypath::model::{Channel, Controls, Schedule, Stage};
use std::time::Duration;

const EXTRA: &str = r#"
[accounts.bob]
address = "bob@example.com"
imap = { host = "imap.example.com", user = "bob", password = "hidden" }
smtp = { host = "smtp.example.com" }
[intakes.support]
desk_login = true
imap = { host = "imap.example.com", user = "support", password = "hidden" }
[calendars.office]
zone = "Europe/Vienna"
mon = ["13:00-17:00", "09:00-12:00"]
fri = "00:00-24:00"
holidays = ["2026-12-25", 2027-01-01]
"#;

fn channel(probe: &replypath::model::Probe) -> &replypath::model::EmailChannel {
    let Channel::Email(email) = &probe.channel else { panic!("a mail") };
    email
}

#[test]
fn a_variant_is_its_probe_with_other_words() {
    let probe = format!(
        "every = \"10m\"\njitter = \"1m\"\nskip = [\"acknowledge\"]\nintake = \"support\"\ncalendar = \"office\"\nsecond_account = \"bob\"\n\
         controls = [\"a.mute\"]\n{PROBE}\n[limits]\nland = \"5m\"\nreply = \"7m\"\n[canaries]\nsecond = \"bob\"\n\
         [[variants]]\nname = \"mute\"\nemail.text = \"\"\nlimits.land = \"1h\"\n\
         [[variants]]\nname = \"nightly\"\ncron = \"0 3 * * *\"\nonly = [\"send\", \"land\"]\nbuilt_in_controls = false\n"
    );
    let config = loaded(&[("replypath.toml", &format!("{MAIN}{EXTRA}")), ("probes/a.toml", &probe)]);
    assert_eq!(config.probes.keys().collect::<Vec<_>>(), ["a", "a.mute", "a.nightly"]);
    let (base, mute, nightly) = (&config.probes["a"], &config.probes["a.mute"], &config.probes["a.nightly"]);
    assert_eq!((base.variant_of.as_deref(), mute.variant_of.as_deref()), (None, Some("a")));
    assert_eq!((channel(base).text.is_empty(), channel(mute).text.as_str(), channel(mute).subject.as_str()), (false, "", "Hello"));
    let minutes = |probe: &replypath::model::Probe, stage| probe.limit(stage).as_secs() / 60;
    assert_eq!([minutes(mute, Stage::Land), minutes(mute, Stage::Reply), minutes(base, Stage::Land)], [60, 7, 5]);
    let every = Schedule::Every { interval: Duration::from_secs(600), jitter: Duration::from_secs(60) };
    assert_eq!((base.schedule.as_ref(), mute.schedule.as_ref()), (Some(&every), Some(&every)));
    assert_eq!(nightly.schedule, Some(Schedule::Cron { pattern: "0 3 * * *".into(), zone: "UTC".into() }));
    assert!(nightly.stages.len() == 2 && !mute.takes(Stage::Acknowledge) && mute.takes(Stage::Return));
    assert_eq!(base.controls, Controls { probes: vec!["a.mute".into()], built_in: true, account: Some("bob".into()) });
    assert_eq!(mute.controls.probes, ["a"], "a variant asks its probe, and not itself");
    assert!(!nightly.controls.built_in);
}

#[test]
fn intakes_calendars_and_canaries_reach_the_probe() {
    let probe = format!("intake = \"support\"\ncalendar = \"office\"\n{PROBE}\n[canaries]\nsecond = \"bob\"\ncc = \"bob\"\n");
    let config = loaded(&[("replypath.toml", &format!("{MAIN}{EXTRA}")), ("probes/a.toml", &probe)]);
    let intake = &config.intakes["support"];
    assert_eq!((intake.mailbox.server.user.as_str(), intake.mailbox.server.port, intake.desk_login), ("support", 993, true));
    let probe = &config.probes["a"];
    assert_eq!((probe.intake.as_deref(), probe.canaries.cc.as_deref(), probe.canaries.note), (Some("support"), Some("bob"), false));
    let calendar = probe.calendar.as_ref().unwrap();
    assert_eq!((calendar.zone.as_str(), &calendar.hours[0]), ("Europe/Vienna", &vec![(540, 720), (780, 1_020)]));
    assert_eq!((&calendar.hours[1], &calendar.hours[4], calendar.holidays.len()), (&vec![], &vec![(0, 1_440)], 2));
    assert!(!format!("{config:?}").contains("hidden"), "a secret can be printed");
}
