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
const ORIGINAL: [&str; 26] = [
    "original-nachricht",
    "oprindelig meddelelse",
    "opprinnelig melding",
    "alkuperäinen viesti",
    "wiadomość oryginalna",
    "původní zpráva",
    "исходное сообщение",
    "原始邮件",
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

const FROM: [&str; 18] = [
    "from",
    "von",
    "de",
    "da",
    "van",
    "från",
    "fra",
    "od",
    "от",
    "від",
    "kimden",
    "lähettäjä",
    "feladó",
    "de la",
    "发件人",
    "寄件者",
    "差出人",
    "보낸 사람",
];
const SENT: [&str; 34] = [
    "sent",
    "date",
    "gesendet",
    "datum",
    "envoyé",
    "date d'envoi",
    "enviado",
    "enviada em",
    "enviado el",
    "enviado em",
    "fecha",
    "inviato",
    "data",
    "verzonden",
    "skickat",
    "sendt",
    "dato",
    "wysłano",
    "wysłane",
    "odesláno",
    "odoslané",
    "отправлено",
    "дата",
    "надіслано",
    "gönderildi",
    "tarih",
    "lähetetty",
    "elküldve",
    "trimis",
    "发送时间",
    "日期",
    "送信日時",
    "日付",
    "보낸 날짜",
];
const SUBJECT: [&str; 21] = [
    "subject",
    "betreff",
    "objet",
    "asunto",
    "oggetto",
    "onderwerp",
    "assunto",
    "ämne",
    "emne",
    "temat",
    "předmět",
    "predmet",
    "тема",
    "konu",
    "aihe",
    "tárgy",
    "subiect",
    "主题",
    "主旨",
    "件名",
    "제목",
];

/// No introduction is so long, in bytes.
const LONGEST: usize = 400;

/// Lines that desks put above the history: "reply above this line".
const ABOVE: [&str; 22] = [
    "nad tímto řádkem",
    "reply above this",
    "respond above this",
    "powyżej tej linii",
    "над этой строкой",
    "выше этой строки",
    "ovanför denna rad",
    "over denne linje",
    "この行より上",
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

/// Lines kept so far, with what the rules ask about them ready at hand: mails of a million lines are read too.
#[derive(Default)]
struct Kept<'a> {
    lines: Vec<&'a str>,
    /// The places of those that are not empty.
    solid: Vec<usize>,
    /// The first line with a letter or digit in it.
    text: Option<usize>,
    /// No line was kept since the last quoted one.
    below_quote: bool,
}

impl<'a> Kept<'a> {
    fn push(&mut self, line: &'a str) {
        if !line.trim().is_empty() {
            self.solid.push(self.lines.len());
            self.below_quote = false;
        }
        if self.text.is_none() && line.chars().any(char::is_alphanumeric) {
            self.text = Some(self.lines.len());
        }
        self.lines.push(line);
        step(line.len());
    }

    fn truncate(&mut self, len: usize) {
        self.lines.truncate(len);
        while self.solid.last().is_some_and(|s| *s >= len) {
            self.solid.pop();
        }
        self.text = self.text.filter(|t| *t < len);
    }
}

/// `text` without quoted earlier mails and the lines that introduce them.
pub fn new_text(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut kept = Kept::default();
    let last_quoted = (0..lines.len()).rev().find(|&i| is_quoted(&lines, i)).unwrap_or(0);
    // The mail asks to be answered above it: then it may hold the ticket's history, newest first.
    let mut with_history = false;
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        step(line.len());
        if is_quoted(&lines, at) {
            if !kept.below_quote {
                drop_introduction(&mut kept);
                kept.below_quote = true;
            }
        } else if is_separator(line) {
            // At the top it only asks the reader to write above it: the desk's own text follows.
            if kept.solid.len() > 1 {
                break;
            }
            with_history = true;
        } else if with_history && kept.text.is_some() && opens_entry(&lines[at..]) {
            break;
        } else if kept.text.is_some() && opens_earlier_mail(&lines[at..], at < last_quoted) {
            drop_rule(&mut kept.lines);
            break;
        } else {
            kept.push(line);
        }
        at += 1;
    }
    join(&kept.lines)
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
    step(above.len());
    let open = above.rfind('<') > above.rfind('>');
    if open && !above.starts_with('>') && line.trim_end().ends_with(':') {
        return false;
    }
    // ">From " is what mbox files make of a line that begins with "From ".
    let alone = |i: Option<usize>| i.and_then(|i| lines.get(i)).is_none_or(|l| !l.trim_start().starts_with('>'));
    !(line.starts_with(">From ") && alone(at.checked_sub(1)) && alone(Some(at + 1)))
}

fn is_separator(line: &str) -> bool {
    if line.len() >= 200 {
        return false;
    }
    let lower = line.to_lowercase();
    ABOVE.iter().any(|a| lower.contains(a))
}

/// A rule, and below it a line with somebody's name and a date: the next entry of a ticket's history.
fn opens_entry(lines: &[&str]) -> bool {
    let rule = lines.first().map_or("", |l| l.trim());
    if rule.len() < 10 || !rule.bytes().all(|b| matches!(b, b'-' | b'_' | b'=' | b'*')) {
        return false;
    }
    let below = lines.iter().skip(1).take(6).filter(|l| !l.trim().is_empty()).take(2);
    below.filter(|l| l.len() < LONGEST && l.chars().any(char::is_alphabetic)).any(|l| has_date(l))
}

/// Removes the introduction that ends the text kept so far: what precedes a `>` block.
fn drop_introduction(kept: &mut Kept<'_>) {
    let Some(&last) = kept.solid.last() else { return };
    if !is_introduction(kept.lines[last]) {
        // It may be wrapped over up to three lines.
        for first in (last.saturating_sub(2)..last).rev().take_while(|&f| !kept.lines[f].trim().is_empty()) {
            if is_introduction(&kept.lines[first..=last].join(" ")) {
                kept.truncate(first);
                return;
            }
        }
        if !names_a_writer(kept.lines[last]) {
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
    step(line.len().min(LONGEST));
    if line.len() >= LONGEST {
        return false;
    }
    let lower = line.to_lowercase();
    (line.ends_with(':') || line.ends_with('：') || line.ends_with("wrote")) && WROTE.iter().any(|w| lower.contains(w))
}

/// `On …, … wrote:` with a time or an address in it: strong enough to stand without `>` lines.
fn is_introduction(line: &str) -> bool {
    if line.len() >= LONGEST {
        return false;
    }
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
        let (label, _) = line.split_once([':', '：'])?;
        step(label.len());
        Some(label.trim().trim_end_matches('*').trim().to_lowercase()).filter(|l| l.len() < 60)
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

/// Work done, for the test that it grows no faster than the mail.
#[cfg(not(test))]
fn step(_: usize) {}

#[cfg(test)]
fn step(work: usize) {
    tests::STEPS.with(|s| s.set(s.get() + work + 1));
}

#[cfg(test)]
#[path = "quote_tests.rs"]
mod tests;
