//! Raw mail to [`ReceivedMail`].

use crate::model::{MailKey, ReceivedMail, TokenKey};
use jiff::Timestamp;

/// Parses a mail as it lies in a mailbox. Never fails: what cannot be read stays empty.
pub fn parse_mail(_raw: &[u8], key: MailKey, in_junk: bool, received: Option<Timestamp>, _tokens: &TokenKey) -> ReceivedMail {
    ReceivedMail {
        key,
        in_junk,
        received,
        message_id: None,
        in_reply_to: Vec::new(),
        references: Vec::new(),
        from: String::new(),
        from_name: String::new(),
        reply_to: Vec::new(),
        to: Vec::new(),
        subject: String::new(),
        date: None,
        text: String::new(),
        new_text: String::new(),
        html: None,
        attachments: Vec::new(),
        auto: crate::model::AutoMark::default(),
        bounce: None,
        headers: Vec::new(),
        size: 0,
        sha256: String::new(),
        tokens: Vec::new(),
        new_tokens: Vec::new(),
    }
}
