//! Who wrote what came back: a machine's automatic reply, a bot, or a person.
//!
//! Headers say it plainly (RFC 3834; RFC 2919 and 2369 for lists; the vendors' X-fields); words are weak evidence, of which
//! several must agree. Headers that only ask others not to answer by themselves are weak too: desks put them on the
//! answers of their agents as well.

use crate::model::{ChatLine, ReceivedMail, Speaker};
use serde::{Deserialize, Serialize};

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Writer {
    /// A rule: acknowledgement, notice, survey, list mail.
    Automatic,
    /// A program that converses.
    Bot,
    /// A person, as far as anything tells.
    Person,
}

/// Who wrote something, with the reasons for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Who.
    pub by: Writer,
    /// Why, for people: `Auto-Submitted: auto-replied`, `says “automatic reply”`. Empty: nothing speaks against a person.
    pub reasons: Vec<String>,
}

/// From so many points on it was a machine.
const ENOUGH: u32 = 3;
/// So much of a text is looked at, in characters.
const READ: usize = 4_000;

/// Phrases by which a machine says that it is one.
const PLAIN: [&str; 14] = [
    "automatic reply",
    "automated reply",
    "automatic response",
    "automated response",
    "automated message",
    "automatically generated",
    "automatische antwort",
    "automatisch generiert",
    "automatisch erstellt",
    "réponse automatique",
    "respuesta automática",
    "automatická odpověď",
    "automatisch antwoord",
    "automatisch gegenereerd",
];

/// Phrases that acknowledgements use, and people now and then.
const USUAL: [&str; 22] = [
    "received your request",
    "received your message",
    "received your email",
    "your request has been received",
    "has been created",
    "do not reply",
    "anfrage erhalten",
    "nachricht erhalten",
    "anfrage ist bei uns eingegangen",
    "nicht auf diese",
    "bien reçu votre",
    "votre demande a été",
    "ne pas répondre",
    "hemos recibido su",
    "hemos recibido tu",
    "su solicitud ha sido",
    "no responda",
    "přijali jsme",
    "obdrželi jsme",
    "neodpovídejte",
    "hebben uw",
    "uw bericht ontvangen",
];

/// Phrases by which a bot says that it is one.
const BOTS: [&str; 11] = [
    "i am a bot",
    "i'm a bot",
    "chatbot",
    "virtual assistant",
    "ai assistant",
    "ai agent",
    "answer bot",
    "virtueller assistent",
    "assistant virtuel",
    "asistente virtual",
    "virtuální asistent",
];

/// Who wrote a mail.
pub fn writer_of_mail(mail: &ReceivedMail) -> Written {
    let mut points = Points::default();
    if mail.bounce.is_some() {
        points.add(ENOUGH, "a delivery status notification".to_owned());
    }
    if let Some(word) = &mail.auto.auto_submitted {
        points.add(ENOUGH, format!("Auto-Submitted: {word}"));
    }
    if let Some(word) = &mail.auto.precedence {
        // Request Tracker marks the mails of its agents as bulk too.
        let known = ["junk", "auto_reply", "auto-reply"].contains(&word.as_str());
        points.add(if known { ENOUGH } else { 1 }, format!("Precedence: {word}"));
    }
    for name in &mail.auto.others {
        points.add(weight(name), if name == "return-path" { "an empty sender".to_owned() } else { format!("the header {name}") });
    }
    let text = format!("{}\n{}", mail.subject, mail.new_text);
    let bot = bot_words(&format!("{}\n{text}", mail.from_name));
    if bot.is_some() && points.sum < ENOUGH {
        return Written { by: Writer::Bot, reasons: bot.into_iter().collect() };
    }
    points.words(&text);
    // In an answer it stands because it stood there before.
    let answers = mail.subject.trim_start().to_lowercase().starts_with("re:");
    let names_a_ticket = !answers && mail.subject.contains('#') && mail.subject.chars().any(|c| c.is_ascii_digit());
    if names_a_ticket {
        points.add(1, "a ticket's number in the subject".to_owned());
    }
    points.written()
}

/// Who said a line of a chat.
pub fn writer_of_line(line: &ChatLine) -> Written {
    let says = |by, reason: &str| Written { by, reasons: vec![reason.to_owned()] };
    match line.speaker {
        Some(Speaker::Bot) => says(Writer::Bot, "the desk calls it a bot"),
        Some(Speaker::System) => says(Writer::Automatic, "the desk itself says it"),
        _ => match bot_words(&line.text) {
            Some(reason) => Written { by: Writer::Bot, reasons: vec![reason] },
            // Agents greet with the same words; only a line of nobody's is judged by them.
            None if line.speaker.is_none() => {
                let mut points = Points::default();
                points.words(&line.text);
                points.written()
            }
            None => Written { by: Writer::Person, reasons: Vec::new() },
        },
    }
}

/// How much a header's presence says.
fn weight(name: &str) -> u32 {
    match name {
        "return-path" | "list-id" | "list-unsubscribe" | "feedback-id" => ENOUGH,
        // These ask others not to answer by themselves; they say little of who writes.
        "x-auto-response-suppress" => 1,
        name if name.contains("loop") => 1,
        // X-Autoreply, X-Autorespond, X-Autogenerated and the like.
        _ => ENOUGH,
    }
}

fn bot_words(text: &str) -> Option<String> {
    let text: String = text.chars().take(READ).collect::<String>().to_lowercase();
    BOTS.iter().find(|phrase| text.contains(*phrase)).map(|phrase| format!("says “{phrase}”"))
}

#[derive(Default)]
struct Points {
    sum: u32,
    reasons: Vec<String>,
}

impl Points {
    fn add(&mut self, points: u32, reason: String) {
        self.sum += points;
        self.reasons.push(reason);
    }

    fn words(&mut self, text: &str) {
        let lower = text.chars().take(READ).collect::<String>().to_lowercase();
        if let Some(phrase) = PLAIN.iter().find(|phrase| lower.contains(*phrase)) {
            self.add(2, format!("says “{phrase}”"));
        }
        if let Some(phrase) = USUAL.iter().find(|phrase| lower.contains(*phrase)) {
            self.add(1, format!("says “{phrase}”"));
        }
        if super::promise(text).is_some() {
            self.add(1, "promises an answer".to_owned());
        }
    }

    fn written(self) -> Written {
        let by = if self.sum >= ENOUGH { Writer::Automatic } else { Writer::Person };
        Written { by, reasons: if by == Writer::Person { Vec::new() } else { self.reasons } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AutoMark;

    fn mail(subject: &str, text: &str) -> ReceivedMail {
        ReceivedMail { subject: subject.into(), new_text: text.into(), ..ReceivedMail::default() }
    }

    #[test]
    fn headers_say_it_plainly_and_those_that_only_ask_for_silence_do_not() {
        let by = |auto: AutoMark| writer_of_mail(&ReceivedMail { auto, ..mail("Re: My bill", "Dear Alice, it is paid. Bob") }).by;
        let others = |name: &str| AutoMark { others: vec![name.to_owned()], ..AutoMark::default() };
        assert_eq!(by(AutoMark::default()), Writer::Person);
        assert_eq!(by(AutoMark { auto_submitted: Some("auto-replied".into()), ..AutoMark::default() }), Writer::Automatic);
        assert_eq!(by(AutoMark { precedence: Some("auto_reply".into()), ..AutoMark::default() }), Writer::Automatic);
        assert_eq!(by(AutoMark { precedence: Some("bulk".into()), ..AutoMark::default() }), Writer::Person, "agents' mails carry it too");
        assert_eq!(by(AutoMark { precedence: Some("first-class".into()), ..AutoMark::default() }), Writer::Person);
        for name in ["return-path", "list-id", "x-autoreply", "x-autorespond"] {
            assert_eq!(by(others(name)), Writer::Automatic, "{name}");
        }
        for name in ["x-auto-response-suppress", "x-rt-loop-prevention"] {
            assert_eq!(by(others(name)), Writer::Person, "{name}");
        }
    }

    #[test]
    fn words_are_weak_and_must_agree() {
        let ack = writer_of_mail(&mail("[Desk #12] My bill", "We have received your request. We will reply within 24 hours."));
        assert_eq!((ack.by, ack.reasons.len()), (Writer::Automatic, 3));
        assert_eq!(
            writer_of_mail(&mail("Danke", "Dies ist eine automatische Antwort. Wir haben Ihre Anfrage erhalten.")).by,
            Writer::Automatic
        );
        let person = writer_of_mail(&mail("Re: [Desk #12] My bill", "Thank you, we have received your request. It is paid. Bob"));
        assert_eq!(person, Written { by: Writer::Person, reasons: Vec::new() });
        assert_eq!(writer_of_mail(&mail("Re: bill", "Hello, I'm a bot. Did that help?")).by, Writer::Bot);
    }

    #[test]
    fn a_line_is_whose_the_desk_says_unless_it_says_more_itself() {
        let line = |speaker, text: &str| {
            let line = ChatLine {
                id: None,
                speaker,
                text: text.into(),
                at: None,
                pushed: None,
                stored: None,
                shown: None,
                files: Vec::new(),
                tokens: Vec::new(),
            };
            writer_of_line(&line).by
        };
        assert_eq!(line(Some(Speaker::Agent), "Hello, this is Bob"), Writer::Person);
        assert_eq!(line(Some(Speaker::Agent), "Hello, I am a bot"), Writer::Bot);
        assert_eq!(line(Some(Speaker::Bot), "Hello"), Writer::Bot);
        assert_eq!(line(Some(Speaker::System), "You are number 3"), Writer::Automatic);
        assert_eq!(line(None, "Hello"), Writer::Person);
    }
}
