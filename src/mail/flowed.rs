//! Text with soft line breaks, `format=flowed` (RFC 3676), as its writer typed it.

/// The text with its soft breaks taken out; `delsp` as the part's header says (section 4.6: the blank
/// before a soft break was added by the mail program).
///
/// Quoted lines keep their `>` signs. A line that the program stuffed because it began with `>` keeps the
/// blank: what looks quoted is better taken for quoted than the other way round.
pub(super) fn unflow(text: &str, delsp: bool) -> String {
    let mut out = String::with_capacity(text.len());
    // The quote depth of a line that goes on in the next one.
    let mut open: Option<usize> = None;
    for line in text.lines() {
        let depth = line.bytes().take_while(|b| *b == b'>').count();
        let mut words = &line[depth..];
        if let Some(stuffed) = words.strip_prefix(' ')
            && (depth > 0 || !stuffed.starts_with('>'))
        {
            words = stuffed;
        }
        let signature = words == "-- ";
        if open != Some(depth) || signature {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(&line[..depth]);
            if depth > 0 && !words.is_empty() {
                out.push(' ');
            }
        }
        let soft = words.ends_with(' ') && !signature;
        out.push_str(if soft && delsp { &words[..words.len() - 1] } else { words });
        open = soft.then_some(depth);
    }
    if text.ends_with('\n') {
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_breaks_go_and_hard_ones_quotes_and_signatures_stay() {
        let table = [
            ("one \ntwo\nthree\n", false, "one two\nthree\n"),
            ("rpabc \ndef\n", true, "rpabcdef\n"),
            ("new \n> old \n> more\nbelow", false, "new \n> old more\nbelow"),
            (">> deep \n> shallow", false, ">> deep \n> shallow"),
            ("bye \n-- \nAgent \nOne", false, "bye \n-- \nAgent One"),
            (" From here\n  two", false, "From here\n two"),
            (" > not quoted", false, " > not quoted"),
            ("a\n\n \nb", false, "a\n\n\nb"),
            ("", false, ""),
        ];
        for (text, delsp, expected) in table {
            assert_eq!(unflow(text, delsp), expected, "{text:?}");
        }
    }
}
