//! Tells the new text of a mail from the earlier mails that it quotes.
//!
//! Conservative: a line goes only when it is marked as a quote. Answers above, below and between
//! quoted lines stay. Where a mail program marks only the beginning of the earlier mail (Outlook),
//! everything below goes, provided that something new stands above.

/// Verbs of the line that introduces a quote, in many languages.
const WROTE: [&str; 20] = [
    "wrote",
    "schrieb",
    "a écrit",
    "escribió",
    "ha scritto",
    "schreef",
    "escreveu",
    "skrev",
    "kirjoitti",
    "napisał",
    "napsal",
    "napísal",
    "írta",
    "a scris",
    "написал",
    "пишет",
    "написав",
    "yazdı",
    "写道",
    "のメール",
];

/// How such a line begins, with the blank.
const ON: [&str; 11] = ["on ", "am ", "le ", "el ", "il ", "op ", "em ", "den ", "w dniu ", "dne ", "la "];

/// Titles of lines such as `-----Original Message-----`.
const ORIGINAL: [&str; 18] = [
    "original message",
    "original appointment",
    "forwarded message",
    "ursprüngliche nachricht",
    "originalnachricht",
    "weitergeleitete nachricht",
    "message d'origine",
    "message d’origine",
    "message original",
    "message transféré",
    "mensaje original",
    "messaggio originale",
    "messaggio inoltrato",
    "oorspronkelijk bericht",
    "doorgestuurd bericht",
    "mensagem original",
    "mensagem encaminhada",
    "ursprungligt meddelande",
];

const FROM: [&str; 8] = ["from", "von", "de", "da", "van", "från", "fra", "od"];
const SENT: [&str; 13] =
    ["sent", "date", "gesendet", "datum", "envoyé", "enviado", "enviada em", "fecha", "inviato", "data", "verzonden", "skickat", "sendt"];
const SUBJECT: [&str; 9] = ["subject", "betreff", "objet", "asunto", "oggetto", "onderwerp", "assunto", "ämne", "emne"];

/// Lines that desks put above the history: "reply above this line".
const ABOVE: [&str; 13] = [
    "above this line",
    "above the line",
    "oberhalb dieser zeile",
    "über dieser zeile",
    "über diese zeile",
    "au-dessus de cette ligne",
    "encima de esta línea",
    "arriba de esta línea",
    "sopra questa riga",
    "sopra questa linea",
    "boven deze regel",
    "boven deze lijn",
    "acima desta linha",
];

/// `text` without quoted earlier mails and the lines that introduce them.
pub fn new_text(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut kept: Vec<&str> = Vec::new();
    let last_quoted = (0..lines.len()).rev().find(|&i| is_quoted(&lines, i)).unwrap_or(0);
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if is_quoted(&lines, at) {
            drop_introduction(&mut kept);
            at += 1;
        } else if is_separator(line) {
            // At the top it only asks the reader to write above it: the desk's own text follows.
            if kept.iter().filter(|l| !l.trim().is_empty()).count() > 1 {
                break;
            }
            at += 1;
        } else if has_text(&kept) && opens_earlier_mail(&lines[at..], at < last_quoted) {
            drop_rule(&mut kept);
            break;
        } else {
            kept.push(line);
            at += 1;
        }
    }
    join(&kept)
}

/// The new text of an HTML mail.
pub fn new_text_of_html(html: &str) -> String {
    new_text(&super::html::to_text(&super::html::without_quotes(html).0))
}

/// True when `subject` begins with a reply or forward prefix, also behind a desk's tag such as `[desk #2]`.
pub fn is_answer_subject(subject: &str) -> bool {
    const PREFIXES: [&str; 22] = [
        "re", "aw", "sv", "vs", "antw", "odp", "rif", "res", "ref", "r", "fw", "fwd", "wg", "tr", "rv", "enc", "doorst", "i", "vb", "回复",
        "返信", "転送",
    ];
    let mut rest = subject.trim_start();
    while let Some(tag) = rest.strip_prefix('[') {
        let Some((_, after)) = tag.split_once(']') else { break };
        rest = after.trim_start();
    }
    let Some((head, _)) = rest.split_once([':', '：']) else { return false };
    // `Re[2]:` and `Re(3):` count as well.
    let head = head.split(['[', '(']).next().unwrap_or_default().trim().to_lowercase();
    PREFIXES.contains(&head.as_str())
}

fn is_quoted(lines: &[&str], at: usize) -> bool {
    let line = lines[at].trim_start();
    if !line.starts_with('>') {
        return false;
    }
    // An introduction may be broken inside `<address\n> wrote:`.
    let above = at.checked_sub(1).and_then(|i| lines.get(i)).map_or("", |l| l.trim_start());
    let open = above.rfind('<') > above.rfind('>');
    if open && !above.starts_with('>') && line.trim_end().ends_with(':') {
        return false;
    }
    // ">From " is what mbox files make of a line that begins with "From ".
    let alone = |i: Option<usize>| i.and_then(|i| lines.get(i)).is_none_or(|l| !l.trim_start().starts_with('>'));
    !(line.starts_with(">From ") && alone(at.checked_sub(1)) && alone(Some(at + 1)))
}

fn is_separator(line: &str) -> bool {
    let lower = line.to_lowercase();
    line.len() < 200 && ABOVE.iter().any(|a| lower.contains(a))
}

fn has_text(kept: &[&str]) -> bool {
    kept.iter().any(|l| l.chars().any(char::is_alphanumeric))
}

/// Removes the introduction that ends the text kept so far: what precedes a `>` block.
fn drop_introduction(kept: &mut Vec<&str>) {
    let Some(last) = kept.iter().rposition(|l| !l.trim().is_empty()) else { return };
    if !is_introduction(kept[last]) {
        // It may be wrapped over up to three lines.
        for first in (last.saturating_sub(2)..last).rev().take_while(|&f| !kept[f].trim().is_empty()) {
            if is_introduction(&kept[first..=last].join(" ")) {
                kept.truncate(first);
                return;
            }
        }
        if !names_a_writer(kept[last]) {
            return;
        }
    }
    kept.truncate(last);
}

/// Removes a line of underscores or dashes at the end of the kept text.
fn drop_rule(kept: &mut Vec<&str>) {
    while let Some(last) = kept.last() {
        let line = last.trim();
        if line.is_empty() || (line.len() >= 5 && line.chars().all(|c| matches!(c, '_' | '-' | '=' | '*'))) {
            kept.pop();
        } else {
            return;
        }
    }
}

/// A line that ends with a colon and says that somebody wrote.
fn names_a_writer(line: &str) -> bool {
    let line = line.trim();
    let lower = line.to_lowercase();
    (line.ends_with(':') || line.ends_with('：') || line.ends_with("wrote")) && line.len() < 300 && WROTE.iter().any(|w| lower.contains(w))
}

/// `On …, … wrote:` with a time or an address in it: strong enough to stand without `>` lines.
fn is_introduction(line: &str) -> bool {
    let line = line.trim().trim_start_matches(['-', '*', ' ']);
    let lower = line.to_lowercase();
    let begins = ON.iter().any(|o| lower.starts_with(o)) || lower.starts_with(|c: char| c.is_ascii_digit()) || begins_with_weekday(&lower);
    begins && names_a_writer(line) && has_date(line)
}

fn begins_with_weekday(lower: &str) -> bool {
    const DAYS: [&str; 24] = [
        "mon", "tue", "wed", "thu", "fri", "sat", "sun", "lun", "mar", "mer", "jeu", "ven", "sam", "dim", "pon", "wt", "śr", "czw", "pt",
        "sob", "niedz", "пн", "вт", "ср",
    ];
    DAYS.iter().any(|d| lower.strip_prefix(d).is_some_and(|rest| rest.starts_with(['.', ','])))
}

/// A four-digit year, a time of day or a date in figures.
fn has_date(line: &str) -> bool {
    let bytes = line.as_bytes();
    let digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    (0..bytes.len()).any(|i| {
        let year = digit(i) && digit(i + 1) && digit(i + 2) && digit(i + 3);
        let pair = digit(i) && matches!(bytes.get(i + 1), Some(b':' | b'.' | b'/' | b'-')) && digit(i + 2) && digit(i + 3);
        year || pair
    })
}

/// True when an earlier mail begins here and reaches to the end.
fn opens_earlier_mail(lines: &[&str], quoted_below: bool) -> bool {
    let Some(first) = lines.first() else { return false };
    is_original_title(first) || is_header_block(lines) || !quoted_below && is_open_introduction(lines)
}

/// `-----Original Message-----`
fn is_original_title(line: &str) -> bool {
    let line = line.trim();
    if !line.starts_with("--") && !line.starts_with("__") && !line.starts_with("==") && line != "Begin forwarded message:" {
        return false;
    }
    let title = line.trim_matches(|c: char| matches!(c, '-' | '_' | '=' | ' ' | ':')).to_lowercase();
    title == "begin forwarded message" || ORIGINAL.contains(&title.as_str())
}

/// Outlook's block: `From:`, `Sent:`, `To:`, `Subject:` on lines that follow each other.
fn is_header_block(lines: &[&str]) -> bool {
    let label = |line: &str| -> Option<String> {
        let line = line.trim().trim_start_matches('*');
        let (label, _) = line.split_once(':')?;
        Some(label.trim().trim_end_matches('*').trim().to_lowercase())
    };
    let Some(first) = lines.first().and_then(|l| label(l)) else { return false };
    if !FROM.contains(&first.as_str()) {
        return false;
    }
    let (mut sent, mut subject) = (false, false);
    for line in lines.iter().skip(1).filter(|l| !l.trim().is_empty()).take(6) {
        let Some(label) = label(line) else { continue };
        sent |= SENT.contains(&label.as_str());
        subject |= SUBJECT.contains(&label.as_str());
    }
    sent && subject
}

/// True when a line introduces an earlier mail and no `>` line comes below: the mail program marks
/// nothing but the beginning. With `>` lines below, only those are the quote.
fn is_open_introduction(lines: &[&str]) -> bool {
    (1..=lines.len().min(3)).take_while(|&n| !lines[n - 1].trim().is_empty()).any(|n| {
        let wrote = lines[n - 1].trim_end();
        wrote.ends_with([':', '：']) && is_introduction(&lines[..n].join(" "))
    })
}

/// Without blanks at line ends, empty lines at the ends and more than one in a row.
pub(crate) fn tidy(text: &str) -> String {
    join(&text.lines().collect::<Vec<_>>())
}

fn join(kept: &[&str]) -> String {
    let Some(first) = kept.iter().position(|l| !l.trim().is_empty()) else { return String::new() };
    let mut out = String::new();
    let mut empty = false;
    for line in &kept[first..] {
        let line = line.trim_end();
        if line.is_empty() {
            empty = true;
            continue;
        }
        if !out.is_empty() {
            out.push_str(if empty { "\n\n" } else { "\n" });
        }
        empty = false;
        out.push_str(line);
    }
    out
}

#[cfg(test)]
#[path = "quote_tests.rs"]
mod tests;
