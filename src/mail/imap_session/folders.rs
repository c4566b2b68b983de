//! The folders of a mailbox: which there are, which of them hold unwanted mail, which are other people's.
//!
//! On our own lines: the package ends the connection at the first folder name that it cannot read,
//! and does not undo the quoting of names.

use super::{Fail, ImapSession, clean};
use crate::mail::imap_lines::literal_size;
use crate::mail::stream::Line;
use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::NO_PAD;
use std::io::{self, ErrorKind};
use std::time::Instant;

/// More folders than anybody has.
const MOST: usize = 20_000;

/// A folder of LIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderName {
    /// As the server spells it (modified UTF-7).
    pub name: String,
    /// Flagged `\Junk`, or named so where no folder is flagged.
    pub junk: bool,
}

/// One line of LIST.
#[derive(Debug, PartialEq, Eq)]
struct Listed {
    flags: Vec<String>,
    delimiter: Option<char>,
    name: String,
}

impl ImapSession {
    /// All folders of this mailbox's owner that can be opened. Other people's and shared ones (RFC 2342)
    /// are left out: no mail to the account is delivered there.
    ///
    /// # Errors
    /// Either kind of [`Fail`].
    pub fn folders(&mut self) -> Result<Vec<FolderName>, Fail> {
        let foreign = self.foreign_prefixes()?;
        let doing = "listing the folders";
        let mut lines = Err(Fail::Refused(String::new()));
        if self.abilities.special_use {
            lines = self.own(doing, "LIST \"\" \"*\" RETURN (SPECIAL-USE)");
        }
        if matches!(lines, Err(Fail::Refused(_))) {
            lines = self.own(doing, "LIST \"\" \"*\"");
        }
        let mut listed: Vec<Listed> = lines?.iter().filter_map(|l| list_line(l)).collect();
        listed.retain(|l| {
            let closed = l.flags.iter().any(|f| f == "\\noselect" || f == "\\nonexistent");
            !closed && !foreign.iter().any(|p| l.name.starts_with(p.as_str()))
        });
        let flagged = listed.iter().any(|l| l.flags.iter().any(|f| f == "\\junk"));
        let junk = |l: &Listed| if flagged { l.flags.iter().any(|f| f == "\\junk") } else { is_junk_name(&l.name, l.delimiter) };
        Ok(listed.into_iter().map(|l| FolderName { junk: junk(&l), name: l.name }).collect())
    }

    /// How the names of other people's and of shared folders begin.
    fn foreign_prefixes(&mut self) -> Result<Vec<String>, Fail> {
        if !self.abilities.namespace {
            return Ok(Vec::new());
        }
        match self.own("asking for the namespaces", "NAMESPACE") {
            Ok(lines) => Ok(lines.iter().filter_map(|l| after(l, "* NAMESPACE ")).flat_map(foreign).collect()),
            Err(Fail::Refused(_)) => Ok(Vec::new()),
            Err(lost) => Err(lost),
        }
    }

    /// A tag that no other command of the connection has.
    pub(super) fn next_tag(&mut self, word: &str) -> String {
        self.own_tag = self.own_tag.wrapping_add(1);
        format!("{word}{}", self.own_tag)
    }

    /// Runs a command on our own lines and gives the untagged ones; a literal stands behind its size and CRLF.
    fn own(&mut self, doing: &str, command: &str) -> Result<Vec<String>, Fail> {
        let tag = self.next_tag("own");
        self.wire.send(&format!("{tag} {command}")).map_err(|e| self.lost(doing, &e))?;
        let limits = self.wire.limits();
        let limit = Instant::now() + limits.response;
        let (mut lines, mut bytes): (Vec<String>, usize) = (Vec::new(), 0);
        loop {
            let mut line = self.own_line(doing, limit)?;
            while line.starts_with("* ") && literal_size(&line).is_some() && line.len() < limits.response_bytes {
                line.push_str("\r\n");
                line.push_str(&self.own_line(doing, limit)?);
            }
            if let Some(end) = after(&line, &format!("{tag} ")) {
                if after(end, "OK").is_some() {
                    return Ok(lines);
                }
                return Err(Fail::Refused(format!("IMAP server {}: {doing}: the server says: {}", self.place, clean(end, 0))));
            }
            self.hear(&line)?;
            bytes += line.len();
            if bytes > limits.response_bytes || lines.len() >= MOST {
                let error = io::Error::new(ErrorKind::InvalidData, "the server's answer is larger than any mailbox needs");
                return Err(self.lost(doing, &error));
            }
            lines.push(line);
        }
    }

    fn own_line(&mut self, doing: &str, limit: Instant) -> Result<String, Fail> {
        match self.wire.read_line(limit, false).map_err(|e| self.lost(doing, &e))? {
            Line::Text(line) => Ok(line),
            _ => Err(self.lost(doing, &io::Error::new(ErrorKind::TimedOut, "the server did not answer in time"))),
        }
    }
}

/// What follows `start` in `line`, whatever its case.
fn after<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.get(..start.len()).filter(|s| s.eq_ignore_ascii_case(start)).and_then(|_| line.get(start.len()..))
}

/// `* LIST (\HasNoChildren) "/" "Name"` (RFC 9051 section 7.3.1).
fn list_line(line: &str) -> Option<Listed> {
    let (flags, rest) = after(line, "* LIST (")?.split_once(')')?;
    let (delimiter, rest) = string(rest.trim_start())?;
    let (name, _) = string(rest.trim_start())?;
    // A name that is no UTF-8 cannot be said back to the server.
    let name = name.filter(|n| !n.is_empty() && !n.contains(char::REPLACEMENT_CHARACTER))?;
    let name = if name.eq_ignore_ascii_case("INBOX") { "INBOX".to_owned() } else { name };
    let flags = flags.split_ascii_whitespace().map(str::to_ascii_lowercase).collect();
    Some(Listed { flags, delimiter: delimiter.and_then(|d| d.chars().next()), name })
}

/// An atom, NIL (none), a quoted string or a literal, and what follows it.
fn string(text: &str) -> Option<(Option<String>, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut out = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => return Some((Some(out), &quoted[at + 1..])),
                '\\' => out.push(chars.next()?.1),
                c => out.push(c),
            }
        }
        return None;
    }
    if let Some((size, rest)) = text.strip_prefix('{').and_then(|t| t.split_once("}\r\n")) {
        let size: usize = size.trim_end_matches('+').parse().ok()?;
        return Some((Some(rest.get(..size)?.to_owned()), rest.get(size..)?));
    }
    let end = text.find([' ', '(', ')']).unwrap_or(text.len());
    let (atom, rest) = text.split_at(end);
    Some(((!atom.eq_ignore_ascii_case("NIL")).then(|| atom.to_owned()), rest))
}

/// The prefixes of the second and third group of a NAMESPACE answer (RFC 2342 section 5).
fn foreign(answer: &str) -> Vec<String> {
    let (mut rest, mut depth, mut group) = (answer, 0_u32, 0_u32);
    let mut first = false;
    let mut prefixes = Vec::new();
    while let Some(c) = rest.chars().next() {
        match c {
            '(' | ')' | ' ' => {
                depth = if c == '(' { depth + 1 } else { depth.saturating_sub(u32::from(c == ')')) };
                first |= c == '(' && depth == 2;
                group += u32::from(c == ')' && depth == 0);
                rest = &rest[1..];
            }
            _ => {
                let Some((prefix, tail)) = string(rest) else { return prefixes };
                if tail.len() == rest.len() {
                    return prefixes;
                }
                group += u32::from(depth == 0);
                if depth == 2 && std::mem::take(&mut first) && group > 0 {
                    prefixes.extend(prefix.filter(|p| !p.is_empty()));
                }
                rest = tail;
            }
        }
    }
    prefixes
}

/// A folder's name as people read it (modified UTF-7, RFC 3501 section 5.1.3); unchanged where it is none.
pub fn readable(name: &str) -> String {
    let base64 = GeneralPurpose::new(&base64::alphabet::IMAP_MUTF7, NO_PAD);
    let mut out = String::new();
    let mut rest = name;
    while let Some((plain, coded)) = rest.split_once('&') {
        out.push_str(plain);
        let Some((code, tail)) = coded.split_once('-') else { return name.to_owned() };
        if code.is_empty() {
            out.push('&');
        } else {
            let Ok(bytes) = base64.decode(code) else { return name.to_owned() };
            let units: Vec<u16> = bytes.chunks_exact(2).map(|p| u16::from_be_bytes([p[0], p[1]])).collect();
            let Ok(text) = String::from_utf16(&units) else { return name.to_owned() };
            out.push_str(&text);
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// Names that mail servers and programs give to the folder for unwanted mail, in lower case.
const JUNK: [&str; 43] = [
    "junk",
    "spam",
    "bulk",
    "junk mail",
    "junk e-mail",
    "junk email",
    "junk-e-mail",
    "bulk mail",
    "spam mail",
    "spambox",
    "spamverdacht",
    "spam-verdacht",
    "unerwünscht",
    "unerwünschte werbung",
    "courrier indésirable",
    "indésirables",
    "indésirable",
    "pourriel",
    "pourriels",
    "correo no deseado",
    "correo basura",
    "posta indesiderata",
    "ongewenste e-mail",
    "ongewenst",
    "lixo eletrônico",
    "lixo eletrónico",
    "skräppost",
    "søppelpost",
    "uønsket e-mail",
    "uønsket post",
    "roskaposti",
    "wiadomości-śmieci",
    "niechciane",
    "nevyžádaná pošta",
    "levélszemét",
    "спам",
    "нежелательная почта",
    "önemsiz e-posta",
    "gereksiz",
    "垃圾邮件",
    "垃圾郵件",
    "迷惑メール",
    "스팸메일함",
];

fn is_junk_name(name: &str, delimiter: Option<char>) -> bool {
    let last = delimiter.map_or(name, |d| name.rsplit(d).next().unwrap_or(name));
    JUNK.contains(&readable(last).to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_lines_are_read_however_the_name_is_written() {
        let read = |line: &str| list_line(line).map(|l| (l.flags.join(" "), l.delimiter, l.name));
        let entry = |flags: &str, delimiter, name: &str| Some((flags.to_owned(), delimiter, name.to_owned()));
        assert_eq!(read(r#"* LIST (\HasNoChildren \Junk) "/" Spam"#), entry("\\hasnochildren \\junk", Some('/'), "Spam"));
        assert_eq!(read(r#"* list () "." "A \"b\" \\c""#), entry("", Some('.'), "A \"b\" \\c"));
        assert_eq!(read("* LIST () NIL inbox"), entry("", None, "INBOX"));
        assert_eq!(read("* LIST () \"\\\\\" {10}\r\nBuz\u{f3}n (1) ()"), entry("", Some('\\'), "Buz\u{f3}n (1)"));
        assert_eq!(read("* LIST () \"/\" Entw\u{fc}rfe"), entry("", Some('/'), "Entw\u{fc}rfe"));
        for line in
            ["* LIST () \"/\" \"open", "* LIST", "* LSUB () \"/\" x", "* LIST () \"/\" {99}\r\nshort", "* LIST () \"/\" \"x\u{fffd}\""]
        {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn other_peoples_namespaces_are_told_from_ones_own() {
        let cases: [(&str, &[&str]); 6] = [
            (r##"(("" "/")) (("Other Users/" "/")) (("Shared/" "/") ("#news." "."))"##, &["Other Users/", "Shared/", "#news."]),
            (r#"(("INBOX." ".")) NIL NIL"#, &[]),
            (r#"NIL NIL (("" "."))"#, &[]),
            (r#"(("" "/" "X-PARAM" ("FLAG1" "FLAG2"))) NIL (("Public" "/"))"#, &["Public"]),
            ("((", &[]),
            (r#"(("" "/")) (("open"#, &[]),
        ];
        for (answer, prefixes) in cases {
            assert_eq!(foreign(answer), prefixes, "{answer}");
        }
    }

    #[test]
    fn junk_is_known_by_name_in_many_languages() {
        for (name, delimiter) in [
            ("Junk", None),
            ("SPAM", Some('/')),
            ("[Gmail]/Spam", Some('/')),
            ("INBOX.Junk E-mail", Some('.')),
            ("Courrier ind&AOk-sirable", Some('/')),
            ("INBOX/Unerw&APw-nscht", Some('/')),
            ("&V4NXPpCuTvY-", Some('/')),
            ("&BCEEPwQwBDw-", Some('|')),
            ("Skräppost", Some('/')),
        ] {
            assert!(is_junk_name(name, delimiter), "{name}");
        }
        for name in ["Inbox", "Spam reports", "Junkers", "Spam/Old", "&", "&&-", "&AOk", "&AOkA-"] {
            assert!(!is_junk_name(name, Some('/')), "{name}");
        }
        assert_eq!(readable("R&-D &AOQ-"), "R&D ä");
    }
}
