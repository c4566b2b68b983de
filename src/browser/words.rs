//! Words by which a page tells what happened, as people read them.

use super::look::State;

/// Titles of the pages that bot protection shows instead (Cloudflare, Akamai, DataDome, Imperva, PerimeterX, Sucuri).
const BOT_TITLES: [&str; 9] = [
    "just a moment",
    "attention required",
    "checking your browser",
    "verify you are human",
    "are you a robot",
    "pardon our interruption",
    "access to this page has been denied",
    "ddos-guard",
    "bot verification",
];
/// What thank-you pages say.
const THANKS: [&str; 28] = [
    "thank you",
    "thanks for",
    "thanks!",
    "many thanks",
    "has been sent",
    "was sent",
    "has been received",
    "have received your",
    "received your",
    "has been submitted",
    "successfully submitted",
    "submitted successfully",
    "has been created",
    "was created",
    "we will get back",
    "we'll get back",
    "get back to you",
    "vielen dank",
    "danke",
    "wurde gesendet",
    "erfolgreich",
    "merci",
    "gracias",
    "grazie",
    "obrigado",
    "bedankt",
    "dziękujemy",
    "tack för",
];
const SENDER: [&str; 8] =
    ["mx record", "no mx", "disposable", "throwaway", "throw-away", "domain does not", "domain is not", "not deliverable"];

/// The page is bot protection's own.
pub(super) fn is_bot_check(state: &State) -> bool {
    let title = state.title.to_lowercase();
    BOT_TITLES.iter().any(|words| title.contains(words))
}

/// The text thanks.
pub(super) fn thanks(text: &str) -> bool {
    let text = text.to_lowercase();
    THANKS.iter().any(|words| text.contains(words))
}

/// The error speaks of a captcha.
pub(super) fn of_captcha(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("captcha") || text.contains("not a robot") || text.contains("are human")
}

/// The error speaks of a captcha that ran out.
pub(super) fn of_expired_captcha(text: &str) -> bool {
    let low = text.to_lowercase();
    of_captcha(text) && ["expired", "timeout", "time-out", "too old", "abgelaufen"].iter().any(|word| low.contains(word))
}

/// The error refuses the sender's address.
pub(super) fn of_sender(text: &str) -> bool {
    let text = text.to_lowercase();
    SENDER.iter().any(|words| text.contains(words))
}
