//! Subjects, texts and files: did the other side see what was written?

use crate::model::Attachment;

/// How a text differs from what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The fault that such a difference shows, an id of the catalogue.
    pub fault: &'static str,
    /// The first place at which it differs, for people.
    pub found: String,
}

/// Text with white space folded, zero-width characters and soft hyphens gone, non-breaking spaces plain:
/// what survives re-wrapping, re-encoding and HTML.
pub fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut space = true;
    for c in text.chars() {
        match c {
            '\u{200b}' | '\u{200c}' | '\u{200d}' | '\u{feff}' | '\u{ad}' => {}
            c if c.is_whitespace() => {
                if !space {
                    out.push(' ');
                    space = true;
                }
            }
            c => {
                out.push(c);
                space = false;
            }
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Compares a ticket's or mail's subject with the written one. Tags before or after it (`[#12]`, `Re:`, `[EXTERNAL]`) are no difference.
pub fn compare_subject(written: &str, found: &str) -> Option<Difference> {
    let (want, have) = (normalise(written), normalise(found));
    if have.contains(&want) {
        return None;
    }
    let fault = if is_mojibake(&want, &have) {
        "mojibake"
    } else if is_escaped(&want, &have) {
        "html-escaped-twice"
    } else if is_cut(&want, &have) {
        "subject-encoding-breaks-headers"
    } else {
        "format-differs"
    };
    Some(Difference { fault, found: excerpt(&have) })
}

/// Compares a message's text, line by line, with the written one: every written line must stand in it, in order.
pub fn compare_text(written: &str, found: &str) -> Option<Difference> {
    let have = normalise(found);
    let mut from = 0;
    for line in written.lines().map(normalise).filter(|l| !l.is_empty()) {
        match have.get(from..).and_then(|rest| rest.find(&line)) {
            Some(at) => from += at + line.len(),
            None => {
                let rest = have.get(from..).unwrap_or("");
                let fault = if have.is_empty() {
                    "answer-quoted-out"
                } else if is_mojibake(&line, rest) {
                    "mojibake"
                } else if is_escaped(&line, &have) {
                    "html-escaped-twice"
                } else {
                    "format-differs"
                };
                return Some(Difference {
                    fault,
                    found: format!("the line “{}” is not there; the text goes on “{}”", excerpt(&line), excerpt(rest)),
                });
            }
        }
    }
    literal_markup(&have)
        .filter(|_| literal_markup(&normalise(written)).is_none())
        .map(|markup| Difference { fault: "html-escaped-twice", found: markup })
}

/// Compares files by name, size and hash. Gives one line for each expected file: `Ok` or what is wrong;
/// `Err(None)` when the desk says too little to tell.
pub fn compare_attachments(expected: &[Attachment], found: &[Attachment]) -> Vec<(String, Result<String, Option<String>>)> {
    expected
        .iter()
        .map(|want| {
            let same_hash = found.iter().find(|f| f.sha256.is_some() && f.sha256 == want.sha256);
            let same_name = found.iter().find(|f| names_match(&want.name, &f.name));
            let verdict = match (same_hash, same_name) {
                (Some(f), _) => Ok(describe(f)),
                (None, Some(f)) if f.sha256.is_some() => Err(Some(format!("{}: other content", describe(f)))),
                (None, Some(f)) => match f.size {
                    Some(size) if Some(size) == want.size => Ok(format!("{} (by size)", describe(f))),
                    Some(_) => Err(Some(describe(f))),
                    None => Err(None),
                },
                (None, None) => Err(Some(listing(found))),
            };
            (want.name.clone(), verdict)
        })
        .collect()
}

fn names_match(want: &str, have: &str) -> bool {
    // Desks put a part number before the name (`part-1_img.png`).
    have == want || have.ends_with(&format!("_{want}"))
}

fn describe(a: &Attachment) -> String {
    let size = a.size.map_or_else(|| "size not told".to_owned(), |s| format!("{s} bytes"));
    format!("{} ({size})", a.name)
}

fn listing(found: &[Attachment]) -> String {
    if found.is_empty() {
        return "no file at all".to_owned();
    }
    let names: Vec<String> = found.iter().map(describe).collect();
    format!("only {}", names.join(", "))
}

/// UTF-8 read as Latin-1 or Windows-1252 once, or characters replaced by `?` or U+FFFD.
fn is_mojibake(want: &str, have: &str) -> bool {
    if want.is_ascii() {
        return false;
    }
    let latin1: String = want.bytes().map(char::from).collect();
    if have.contains(&normalise(&latin1)) {
        return true;
    }
    // Windows-1252 has printable characters where Latin-1 has controls: compare what both have.
    let only_plain =
        |text: &str| -> String { text.chars().filter(|c| c.is_ascii_alphanumeric() || ('\u{c0}'..='\u{ff}').contains(c)).collect() };
    let spoilt = only_plain(&latin1);
    if !spoilt.is_ascii() && only_plain(have).contains(&spoilt) {
        return true;
    }
    let ascii = |text: &str| -> String { text.chars().filter(char::is_ascii_alphanumeric).collect() };
    (have.contains('?') || have.contains('\u{fffd}')) && ascii(have).contains(&ascii(want))
}

fn is_escaped(want: &str, have: &str) -> bool {
    let once = want.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    (once != want && have.contains(&once)) || literal_markup(have).is_some_and(|_| literal_markup(want).is_none())
}

/// Entities or tags that stand as text where a person should read words.
fn literal_markup(text: &str) -> Option<String> {
    const MARKS: [&str; 12] =
        ["&lt;p&gt;", "&lt;br", "&lt;div", "&lt;/", "&amp;lt;", "&amp;amp;", "<p>", "</p>", "<br>", "<br/>", "<div>", "</div>"];
    let lower = text.to_lowercase();
    MARKS.iter().find_map(|m| lower.find(m)).map(|at| {
        let start = text.char_indices().map(|(i, _)| i).take_while(|i| *i <= at).last().unwrap_or(0);
        excerpt(text.get(start..).unwrap_or(text))
    })
}

/// The found subject ends with a beginning of the written one: the rest was cut off.
fn is_cut(want: &str, have: &str) -> bool {
    let have = have.trim_end();
    let cuts = want.char_indices().map(|(at, _)| at).skip(5);
    cuts.map(|at| want[..at].trim_end()).any(|head| head.chars().count() > 4 && have.ends_with(head))
}

fn excerpt(text: &str) -> String {
    let mut out: String = text.chars().take(120).collect();
    if text.chars().nth(120).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_round_a_subject_are_no_difference() {
        assert_eq!(compare_subject("Rechnung für Mai (rpabc)", "[desk #12] Re: Rechnung  für Mai (rpabc)"), None);
    }

    #[test]
    fn a_subject_in_the_wrong_charset_is_mojibake_and_a_short_one_is_cut() {
        let fault = |found: &str| compare_subject("Störung im Büro, bitte melden (rpabc)", found).map(|d| d.fault);
        assert_eq!(fault("StÃ¶rung im BÃ¼ro, bitte melden (rpabc)"), Some("mojibake"));
        assert_eq!(fault("St?rung im B?ro, bitte melden (rpabc)"), Some("mojibake"));
        assert_eq!(fault("Störung im Büro, "), Some("subject-encoding-breaks-headers"));
        assert_eq!(fault("[desk #12] St"), Some("format-differs"));
        assert_eq!(fault("Newsletter"), Some("format-differs"));
        assert_eq!(compare_subject("Facture n° 12 (rpabc)", "[SB-7] Facture n").map(|d| d.fault), Some("subject-encoding-breaks-headers"));
    }

    #[test]
    fn rewrapped_text_is_the_same_and_escaped_text_is_named() {
        assert_eq!(compare_text("Guten Tag,\nwo ist mein Paket?\n", "Hello!\nGuten\u{a0}Tag,  wo ist\nmein Paket?\n-- \nfooter"), None);
        let d = compare_text("Kosten < 5 & mehr", "Kosten &lt; 5 &amp; mehr");
        assert_eq!(d.map(|d| d.fault), Some("html-escaped-twice"));
        assert_eq!(compare_text("hello there", "&lt;p&gt;hello there&lt;/p&gt;").map(|d| d.fault), Some("html-escaped-twice"));
        assert_eq!(compare_text("hello there", "  ").map(|d| d.fault), Some("answer-quoted-out"));
        assert_eq!(compare_text("Grüße aus Wien", "GrÃ¼ÃŸe aus Wien").map(|d| d.fault), Some("mojibake"));
    }

    #[test]
    fn files_are_told_by_hash_then_by_name_and_size_and_silence_is_not_absence() {
        let file = |name: &str, size: Option<u64>, sha: Option<&str>| Attachment {
            name: name.into(),
            content_type: "text/plain".into(),
            size,
            sha256: sha.map(str::to_owned),
        };
        let want = [file("a.txt", Some(3), Some("aa"))];
        let one = |have: Attachment| compare_attachments(&want, &[have]).remove(0).1;
        assert!(one(file("part-1_a.txt", Some(3), Some("aa"))).is_ok());
        assert!(matches!(one(file("a.txt", Some(3), Some("bb"))), Err(Some(_))));
        assert!(one(file("a.txt", Some(3), None)).is_ok());
        assert!(matches!(one(file("a.txt", Some(0), None)), Err(Some(_))));
        assert_eq!(one(file("a.txt", None, None)), Err(None));
        assert!(matches!(compare_attachments(&want, &[]).remove(0).1, Err(Some(_))));
    }
}
