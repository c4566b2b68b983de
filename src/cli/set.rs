//! `--limit STAGE=DURATION` and `--set KEY=VALUE` of the command line.

mod ways;

use super::assemble;
use crate::config::given;
use crate::model::{CleanUp, Probe, Stage};
use std::time::Duration;

/// The keys that `--set` knows, with what their values are. They are spelt as in a probe's file.
pub const KEYS: [(&str, &str); 34] = [
    ("account", "an account of the configuration"),
    ("email.to", "addresses, separated by commas"),
    ("email.cc", "addresses, separated by commas"),
    ("email.bcc", "addresses, separated by commas"),
    ("email.subject", "text with ${token}"),
    ("email.text", "text with ${token}"),
    ("email.html", "HTML with ${token}"),
    ("form.page", "an http or https address"),
    ("form.subject", "text with ${token}"),
    ("form.text", "text with ${token}"),
    ("form.submit", "the button's text"),
    ("form.thanks", "text"),
    ("form.number", "a regular expression with one group"),
    ("form.dwell", "a duration"),
    ("chat.page", "an http or https address"),
    ("chat.text", "text with ${token}"),
    ("chat.hand_over", "text"),
    ("chat.when_offline", "fail, unknown or message"),
    ("chat.visitor", "fresh or kept"),
    ("chat.reload", "true or false"),
    ("chat.pushed", "true or false"),
    ("expect.queue", "a queue's name"),
    ("expect.requester", "an address"),
    ("expect.priority", "as the desk spells it"),
    ("expect.tags", "words, separated by commas"),
    ("expect.channel", "as the desk sees it"),
    ("expect.acknowledge_text", "text"),
    ("expect.from", "an address"),
    ("expect.reply_to", "an address"),
    ("reply.text", "text with ${token}"),
    ("follow_up.text", "text with ${token}"),
    ("mark", "a tag"),
    ("clean_up", "close, delete or keep"),
    ("settle", "a duration"),
];

/// What the keys of the ways in begin with.
const CHANNELS: [&str; 3] = ["email.", "form.", "chat."];

/// Reads `STAGE=DURATION`, for instance `return=30m`.
///
/// # Errors
/// Says which half is wrong and what it could be.
pub fn limit(text: &str) -> Result<(Stage, Duration), String> {
    let (name, time) = text.split_once('=').ok_or("expected STAGE=DURATION, for instance return=30m")?;
    let stage = stage(name)?;
    Ok((stage, duration(time)?))
}

fn duration(text: &str) -> Result<Duration, String> {
    let time: jiff::SignedDuration = text.parse().map_err(|_| format!("`{text}` is no duration; write for instance 90s, 10m, 2h"))?;
    match Duration::try_from(time) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err(format!("`{text}` is not longer than zero")),
    }
}

/// Reads a stage's name.
///
/// # Errors
/// Lists the stages.
pub fn stage(name: &str) -> Result<Stage, String> {
    Stage::parse(name).ok_or_else(|| {
        let names: Vec<&str> = Stage::ALL.into_iter().map(Stage::as_str).collect();
        format!("no stage is called `{name}`; there are {}", names.join(", "))
    })
}

/// Reads `KEY=VALUE`.
///
/// # Errors
/// When there is no `=` or no key.
pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE, for instance expect.queue=Billing".to_owned()),
    }
}

/// Sets one key of a probe; an empty value takes an optional one away. Whether an account exists is the caller's to check.
///
/// # Errors
/// For a key that is not in [`KEYS`], with the nearest one, and for a value that does not fit.
pub fn apply(probe: &mut Probe, key: &str, value: &str) -> Result<(), String> {
    let optional = || (!value.is_empty()).then(|| value.to_owned());
    let address = || if value.is_empty() { Ok(None) } else { given::address(value).map(Some) };
    let list = || value.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    match key {
        "account" => probe.account = value.to_owned(),
        key if CHANNELS.iter().any(|c| key.starts_with(c)) && KEYS.iter().any(|(known, _)| *known == key) => {
            ways::apply(&mut probe.channel, key, value)?;
        }
        "expect.queue" => probe.expect.queue = optional(),
        "expect.requester" => probe.expect.requester = address()?,
        "expect.priority" => probe.expect.priority = optional(),
        "expect.tags" => probe.expect.tags = list(),
        "expect.channel" => probe.expect.channel = optional(),
        "expect.acknowledge_text" => probe.expect.acknowledge_text = optional(),
        "expect.from" => probe.expect.from = address()?,
        "expect.reply_to" => probe.expect.reply_to = address()?,
        "reply.text" => probe.reply.text = given::text(value)?,
        "follow_up.text" => probe.follow_up.text = given::text(value)?,
        "mark" => probe.mark = optional(),
        "clean_up" => probe.clean_up = clean_up(value)?,
        "settle" => probe.settle = duration(value)?,
        other => return Err(unknown_key(other)),
    }
    Ok(())
}

fn clean_up(value: &str) -> Result<CleanUp, String> {
    match value {
        "close" => Ok(CleanUp::Close),
        "delete" => Ok(CleanUp::Delete),
        "keep" => Ok(CleanUp::Keep),
        other => Err(format!("close, delete or keep, not `{other}`")),
    }
}

fn unknown_key(key: &str) -> String {
    let names = KEYS.map(|(name, _)| name);
    match assemble::nearest(key, &names) {
        Some(near) => format!("no such key; did you mean `{near}`?"),
        None => format!("no such key; there are {}", names.join(", ")),
    }
}

/// Sets limits of a probe.
pub fn set_limits(probe: &mut Probe, limits: &[(Stage, Duration)]) {
    for (stage, limit) in limits {
        probe.set_limit(*stage, *limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Channel;
    use crate::report::sample;

    #[test]
    fn a_limit_is_a_stage_and_a_time() {
        assert_eq!(limit("return=1h30m").unwrap(), (Stage::Return, Duration::from_secs(5_400)));
        assert!(limit("retrun=1h").unwrap_err().contains("send, accept, land"));
        assert!(limit("return=soon").unwrap_err().contains("90s"));
        assert!(limit("return=0s").is_err() && limit("return=-5m").is_err() && limit("return").is_err());
    }

    /// A probe of the way in to which a key belongs.
    fn probe_for(key: &str) -> Probe {
        let mut probe = sample::probe("x");
        match key.split('.').next() {
            Some("form") => probe.channel = Channel::Form(sample::form()),
            Some("chat") => probe.channel = Channel::Chat(Box::new(sample::chat())),
            _ => {}
        }
        probe
    }

    #[test]
    fn every_documented_key_can_be_set_and_no_other() {
        for (key, _) in KEYS {
            let value = match key {
                "settle" | "form.dwell" => "5s",
                "clean_up" => "keep",
                "form.page" | "chat.page" => "https://shop.test/help",
                "form.number" => "no ([0-9]+)",
                "chat.when_offline" => "message",
                "chat.visitor" => "kept",
                "chat.reload" => "true",
                "chat.pushed" => "false",
                _ => "a@b.test",
            };
            let before = probe_for(key);
            let mut probe = before.clone();
            assert_eq!(apply(&mut probe, key, value), Ok(()), "{key}");
            assert_ne!(probe, before, "{key} changes something");
        }
        let mut probe = sample::probe("x");
        assert!(apply(&mut probe, "email.too", "x").unwrap_err().contains("`email.to`"));
        assert!(apply(&mut probe, "settle", "soon").is_err() && apply(&mut probe, "clean_up", "burn").is_err());
        assert!(apply(&mut probe, "email.to", " , ").is_err());
        assert!(apply(&mut probe, "email.to", "a@b.test, nonsense").unwrap_err().contains("`nonsense`"));
        assert!(apply(&mut probe, "expect.from", "nonsense").is_err());
        assert_eq!(apply(&mut probe, "chat.text", "x").unwrap_err(), "this probe writes in by email");
    }

    #[test]
    fn a_value_that_no_form_or_chat_could_use_is_refused() {
        for (key, value) in [
            ("form.page", "ftp://shop.test"),
            ("form.page", ""),
            ("form.number", "[0-9]+"),
            ("form.dwell", "soon"),
            ("form.text", "${tokn}"),
            ("form.subject", "a\nb"),
            ("chat.page", "shop.test"),
            ("chat.when_offline", "ignore"),
            ("chat.visitor", "keep"),
            ("chat.reload", "yes"),
            ("chat.hand_over", "${line}"),
        ] {
            let mut probe = probe_for(key);
            assert!(apply(&mut probe, key, value).is_err(), "{key}={value}");
        }
        let mut probe = probe_for("chat.text");
        assert_eq!(apply(&mut probe, "chat.text", "hello"), Ok(()));
        assert!(probe.channel.request().text.contains("${token}"));
        assert_eq!(apply(&mut probe, "chat.hand_over", ""), Ok(()));
    }

    #[test]
    fn a_mail_that_is_written_on_the_command_line_can_be_found_again() {
        let mut probe = crate::report::sample::probe("x");
        for key in ["email.text", "email.html", "reply.text", "follow_up.text"] {
            assert_eq!(apply(&mut probe, key, "hello"), Ok(()));
        }
        let Channel::Email(email) = &probe.channel else { panic!() };
        for text in [&email.text, email.html.as_ref().unwrap(), &probe.reply.text, &probe.follow_up.text] {
            assert!(text.contains("hello") && text.contains("${token}"), "{text}");
        }
        assert!(apply(&mut probe, "email.subject", "${tokn}").unwrap_err().contains("`${token}`"));
    }

    #[test]
    fn a_pair_keeps_every_equals_sign_of_its_value() {
        assert_eq!(pair("email.text=a=b").unwrap(), ("email.text".to_owned(), "a=b".to_owned()));
        assert!(pair("=x").is_err() && pair("x").is_err());
    }
}
