//! Mail as replypath writes and reads it.

use super::Token;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a message lies: unique for ever within one account (RFC 9051 section 2.3.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MailKey {
    /// The folder's name as the server spells it.
    pub folder: String,
    /// The folder's UIDVALIDITY.
    pub uidvalidity: u32,
    /// The message's UID.
    pub uid: u32,
}

/// The state of an INBOX before something was sent: only newer mail can be an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// UIDVALIDITY at that time.
    pub uidvalidity: u32,
    /// The next UID at that time: a message with this UID or a higher one is newer.
    pub uid_next: u32,
    /// When it was taken; after a UIDVALIDITY change only the date and the token can bind a mail.
    pub at: Timestamp,
}

/// What marks a mail as written by a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoMark {
    /// The decoded value of Auto-Submitted, lower case, other than `no` (RFC 3834).
    pub auto_submitted: Option<String>,
    /// The decoded value of Precedence, lower case.
    pub precedence: Option<String>,
    /// Other headers that say "automatic", by name: `x-auto-response-suppress`, `list-id`, `x-autoreply`, …
    pub others: Vec<String>,
}

/// A file in a mail or ticket, told by size and hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The decoded file name; empty when it has none.
    pub name: String,
    /// The media type, lower case.
    pub content_type: String,
    /// Bytes after decoding; none when the desk does not say.
    pub size: Option<u64>,
    /// SHA-256 of the decoded bytes, hex; none when the bytes were not to be had.
    pub sha256: Option<String>,
}

/// What a DSN says of one recipient (RFC 3464).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BounceAction {
    /// Given up.
    Failed,
    /// Still being tried.
    Delayed,
    /// Anything else: delivered, relayed, expanded.
    Other,
}

/// A delivery status notification, or a bounce without one as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounce {
    /// What happened.
    pub action: BounceAction,
    /// The enhanced status code, for instance `5.1.1` (RFC 3463).
    pub status: Option<String>,
    /// The address that was refused.
    pub recipient: Option<String>,
    /// The remote server's words.
    pub diagnostic: Option<String>,
    /// Who reports it.
    pub reporting_mta: Option<String>,
    /// The Message-ID of the mail that came back, without angle brackets.
    pub original_message_id: Option<String>,
}

/// A mail found in a mailbox, parsed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReceivedMail {
    /// Where it lies.
    pub key: MailKey,
    /// True when the folder holds unwanted mail (special use `\Junk`, or named so).
    pub in_junk: bool,
    /// When the mailbox's server took it (INTERNALDATE).
    pub received: Option<Timestamp>,
    /// Message-ID without angle brackets.
    pub message_id: Option<String>,
    /// Ids of In-Reply-To, without angle brackets.
    pub in_reply_to: Vec<String>,
    /// Ids of References, without angle brackets.
    pub references: Vec<String>,
    /// Address of From.
    pub from: String,
    /// Display name of From.
    pub from_name: String,
    /// Addresses of Reply-To.
    pub reply_to: Vec<String>,
    /// Addresses of To and Cc.
    pub to: Vec<String>,
    /// The decoded subject.
    pub subject: String,
    /// The Date header.
    pub date: Option<Timestamp>,
    /// Decoded text: the text part, or the HTML part as text.
    pub text: String,
    /// `text` without quoted earlier mails and their introducing line.
    pub new_text: String,
    /// The HTML part as it stands.
    pub html: Option<String>,
    /// Attached files; the parts of a DSN are none.
    pub attachments: Vec<Attachment>,
    /// Marks of a machine.
    pub auto: AutoMark,
    /// Set when it is a bounce.
    pub bounce: Option<Bounce>,
    /// Headers in order, decoded, secrets masked, each value at most 1,000 characters.
    pub headers: Vec<(String, String)>,
    /// Bytes of the whole mail.
    pub size: u64,
    /// SHA-256 of the whole mail, hex.
    pub sha256: String,
    /// Tokens of this installation in subject, text or HTML, anywhere.
    pub tokens: Vec<Token>,
    /// Tokens of this installation in the subject and the new text only.
    pub new_tokens: Vec<Token>,
}

/// So many marks of a subject are looked at.
const MOST_MARKS: usize = 32;

/// A ticket's number and the address that speaks of it, in the form of an id that no Message-ID can have.
pub(super) fn mark(number: &str, from: &str) -> String {
    format!("#{} {}", number.to_lowercase(), from.trim().to_lowercase())
}

impl ReceivedMail {
    /// Numbers of tickets that the subject may name, each with the sender's address: `#4711 support@example.com`. By such
    /// a mark a mail is found that answers a form and so names no Message-ID of ours, from a desk that does not repeat the
    /// subject. A number counts where desks put it, in brackets or after `#`, or when it has five digits or more.
    pub fn marks(&self) -> Vec<String> {
        let mut found: Vec<&str> = Vec::new();
        let mut depth = 0_u32;
        let mut start = 0;
        for (at, c) in self.subject.char_indices().chain([(self.subject.len(), ' ')]) {
            let inside = depth > 0;
            match c {
                '[' | '(' => depth += 1,
                ']' | ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') {
                continue;
            }
            let word = self.subject.get(start..at).unwrap_or("").trim_matches(|c: char| !c.is_alphanumeric());
            let before = self.subject.get(..start).unwrap_or("");
            if inside || before.ends_with('#') || word.chars().filter(char::is_ascii_digit).count() >= 5 {
                found.push(word);
                // `SB-4711` may be what the desk calls 4711.
                found.extend(word.rsplit_once(['-', '_', '.']).map(|(_, last)| last));
            }
            start = at + c.len_utf8();
        }
        found.retain(|w| w.len() <= 64 && w.chars().any(|c| c.is_ascii_digit()));
        found.iter().take(MOST_MARKS).map(|number| mark(number, &self.from)).collect()
    }
}

/// A file to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingAttachment {
    /// File name.
    pub name: String,
    /// Media type.
    pub content_type: String,
    /// The bytes.
    #[serde(with = "super::base64_bytes")]
    pub bytes: Vec<u8>,
}

impl OutgoingAttachment {
    /// What should arrive: name, type, size and hash.
    pub fn expected(&self) -> Attachment {
        let hash = ring::digest::digest(&ring::digest::SHA256, &self.bytes);
        Attachment {
            name: self.name.clone(),
            content_type: self.content_type.clone(),
            size: Some(self.bytes.len() as u64),
            sha256: Some(hash.as_ref().iter().map(|b| format!("{b:02x}")).collect()),
        }
    }
}

/// A mail that we are about to hand in, as a person's mail program would write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingMail {
    /// Sender address.
    pub from: String,
    /// Sender name.
    pub from_name: String,
    /// Recipients of To.
    pub to: Vec<String>,
    /// Recipients of Cc.
    pub cc: Vec<String>,
    /// Recipients that stand in no header.
    pub bcc: Vec<String>,
    /// Subject, not encoded.
    pub subject: String,
    /// Plain text, with LF line ends.
    pub text: String,
    /// HTML alternative.
    pub html: Option<String>,
    /// Files.
    pub attachments: Vec<OutgoingAttachment>,
    /// Message-ID without angle brackets.
    pub message_id: String,
    /// In-Reply-To without angle brackets.
    pub in_reply_to: Option<String>,
    /// References without angle brackets.
    pub references: Vec<String>,
    /// The Date header.
    pub date: Timestamp,
    /// How the plain text is encoded.
    pub encoding: super::MailEncoding,
    /// The mail program writes it by itself, and says so (RFC 3834 section 5).
    pub automatic: bool,
}

#[cfg(test)]
mod tests {
    use super::ReceivedMail;

    #[test]
    fn a_ticket_is_named_where_desks_name_it_and_small_numbers_elsewhere_are_words() {
        let marks = |subject: &str| {
            let mail = ReceivedMail { subject: subject.into(), from: "Support@Desk.test".into(), ..ReceivedMail::default() };
            mail.marks().iter().map(|m| m.split_once(' ').map(|(n, _)| n.to_owned()).unwrap_or_default()).collect::<Vec<_>>()
        };
        assert_eq!(marks("[Ticket#2026112500012] Thanks for your inquiry"), ["#2026112500012"]);
        assert_eq!(marks("[SB-12] Where is it?"), ["#sb-12", "#12"]);
        assert_eq!(marks("Re: [desk #7] 5 boxes, ordered on 24 May"), ["#7"]);
        assert_eq!(marks("Ihre Anfrage 471100 (Grüße)"), ["#471100"]);
        assert!(marks("5 tips for 2026").is_empty());
        assert!(marks("").is_empty());
    }
}
