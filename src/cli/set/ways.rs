//! Keys of `--set` that belong to a way in.

use super::duration;
use crate::config::given;
use crate::model::{Channel, ChatBy, ChatChannel, EmailChannel, FormBy, FormChannel, Visitor, WhenOffline};

/// Sets a key of the way in; an empty value takes an optional one away.
///
/// # Errors
/// When the probe writes in another way, and for a value that does not fit.
pub fn apply(channel: &mut Channel, key: &str, value: &str) -> Result<(), String> {
    let (way, key) = key.split_once('.').unwrap_or_default();
    match (channel, way) {
        (Channel::Email(email), "email") => mail(email, key, value),
        (Channel::Form(form), "form") => self::form(form, key, value),
        (Channel::Chat(chat), "chat") => self::chat(chat, key, value),
        (Channel::Email(_), _) => Err("this probe writes in by email".to_owned()),
        (Channel::Form(_), _) => Err("this probe writes in through a form".to_owned()),
        (Channel::Chat(_), _) => Err("this probe writes in by chat".to_owned()),
    }
}

fn optional<T>(value: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if value.is_empty() { Ok(None) } else { read(value).map(Some) }
}

fn plain(value: &str) -> Result<String, String> {
    Ok(value.to_owned())
}

fn yes_or_no(value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| format!("true or false, not `{value}`"))
}

fn mail(email: &mut EmailChannel, key: &str, value: &str) -> Result<(), String> {
    let addresses = || value.split(',').map(str::trim).filter(|s| !s.is_empty()).map(given::address).collect::<Result<Vec<_>, _>>();
    match key {
        "to" => {
            email.to = addresses()?;
            if email.to.is_empty() {
                return Err("an address is needed".to_owned());
            }
        }
        "cc" => email.cc = addresses()?,
        "bcc" => email.bcc = addresses()?,
        "subject" => email.subject = given::subject(value)?,
        "html" => email.html = optional(value, given::html)?,
        _ => email.text = given::text(value)?,
    }
    Ok(())
}

fn form(form: &mut FormChannel, key: &str, value: &str) -> Result<(), String> {
    match key {
        "page" if value.is_empty() && !matches!(form.by, FormBy::Recipe(_)) => return Err("a page is needed".to_owned()),
        "page" => form.page = optional(value, given::page)?,
        "subject" => form.subject = given::subject(value)?,
        "submit" => form.submit = optional(value, plain)?,
        "thanks" => form.thanks = optional(value, plain)?,
        "number" => form.number = optional(value, given::number)?,
        "dwell" => form.dwell = duration(value)?,
        _ => form.text = given::text(value)?,
    }
    Ok(())
}

fn chat(chat: &mut ChatChannel, key: &str, value: &str) -> Result<(), String> {
    match key {
        "page" if value.is_empty() && matches!(chat.by, ChatBy::Widget(_)) => return Err("a page is needed".to_owned()),
        "page" => chat.page = optional(value, given::page)?,
        "hand_over" => chat.hand_over = optional(value, given::words)?,
        "when_offline" => {
            chat.when_offline = match value {
                "fail" => WhenOffline::Fail,
                "unknown" => WhenOffline::Unknown,
                "message" => WhenOffline::Message,
                other => return Err(format!("fail, unknown or message, not `{other}`")),
            }
        }
        "visitor" => {
            chat.visitor = match value {
                "fresh" => Visitor::Fresh,
                "kept" if matches!(chat.by, ChatBy::Widget(_)) => return Err("in a browser every run is somebody new".to_owned()),
                "kept" => Visitor::Kept,
                other => return Err(format!("fresh or kept, not `{other}`")),
            }
        }
        "reload" => chat.reload = yes_or_no(value)?,
        "pushed" => chat.pushed = yes_or_no(value)?,
        _ => chat.text = given::text(value)?,
    }
    Ok(())
}
