//! Mails that came back: sender, threading, unfilled templates.

use crate::model::ReceivedMail;

/// Two addresses are the same mailbox: compared without case.
pub fn same_address(a: &str, b: &str) -> bool {
    a.trim().eq_ignore_ascii_case(b.trim())
}

/// The address says that nobody reads answers to it.
pub fn is_noreply(address: &str) -> bool {
    let local: String =
        address.split('@').next().unwrap_or("").chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    ["noreply", "donotreply", "nichtantworten", "nepasrepondre", "noresponder", "noresponse"].iter().any(|n| local.starts_with(n))
}

/// True when the references of `mail` reach one of `own` ids, directly or through an id that an earlier mail of the
/// run also carries (a healthy Request Tracker answer only names an id that its acknowledgement named too).
pub fn is_threaded(mail: &ReceivedMail, own: &[String], earlier: &[&ReceivedMail]) -> bool {
    let ids: Vec<&String> = mail.in_reply_to.iter().chain(&mail.references).collect();
    ids.iter().any(|id| {
        own.contains(id)
            || earlier.iter().any(|e| {
                e.key != mail.key && (e.message_id.as_ref() == Some(id) || e.references.contains(id) || e.in_reply_to.contains(id))
            })
    })
}

/// Why a mail may lie in junk, by what the receiving provider wrote of its authentication (RFC 8601).
pub fn junk_faults(headers: &[(String, String)]) -> &'static [&'static str] {
    // The topmost is the last server's, the one that filed the mail; those below may come from anybody.
    let Some((_, said)) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authentication-results")) else {
        return &["return-in-spam", "return-dkim-missing"];
    };
    let said: String = said.to_ascii_lowercase().split_whitespace().collect();
    let passed = said.contains("dkim=pass") && !said.contains("dmarc=fail");
    if passed { &["return-in-spam"] } else { &["return-dkim-missing"] }
}

/// A template's variable that was not filled in, as it stands in the text.
pub fn raw_placeholder(text: &str) -> Option<String> {
    const PAIRS: [(&str, &str); 6] = [("{{", "}}"), ("{%", "%}"), ("%{", "}"), ("${", "}"), ("<%", "%>"), ("[%", "%]")];
    PAIRS.iter().find_map(|(open, close)| {
        let start = text.find(open)?;
        let rest = text.get(start..)?;
        let end = rest.find(close)? + close.len();
        let found = rest.get(..end)?;
        (found.len() <= 120 && !found.contains('\n')).then(|| found.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noreply_addresses_are_known_and_people_are_not() {
        assert!(is_noreply("No-Reply@desk.test"));
        assert!(is_noreply("do_not_reply+7@desk.test"));
        assert!(!is_noreply("nora.reply@desk.test"));
    }

    #[test]
    fn what_the_provider_says_of_a_signature_tells_why_a_mail_lies_in_junk() {
        let faults = |value: &str| {
            let header = ("Authentication-Results".to_owned(), value.to_owned());
            junk_faults(&[header])
        };
        assert_eq!(faults("mx.example; dkim=pass; spf=pass; dmarc=pass"), ["return-in-spam"]);
        assert_eq!(faults("mx.example;\r\n dkim = none; spf=pass; dmarc=fail"), ["return-dkim-missing"]);
        assert_eq!(junk_faults(&[]), ["return-in-spam", "return-dkim-missing"]);
    }

    #[test]
    fn unfilled_variables_are_found_and_prices_are_not() {
        assert_eq!(raw_placeholder("Ticket {{ticket.number}} is open").as_deref(), Some("{{ticket.number}}"));
        assert_eq!(raw_placeholder("Dear %{recipient.name},").as_deref(), Some("%{recipient.name}"));
        assert_eq!(raw_placeholder("20 % off {today}"), None);
    }
}
