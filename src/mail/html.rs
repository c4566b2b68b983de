//! HTML mail as text: line breaks where a reader sees them, and quoted earlier mails told apart.
//!
//! The decoding of entities, comments, styles and scripts is mail-parser's; it breaks lines only at
//! `<br>` and `</p>`, so block elements are given a `<br>` first.

use mail_parser::decoders::html::html_to_text;

/// Elements that begin on a line of their own.
const BLOCKS: [&str; 24] = [
    "address",
    "article",
    "blockquote",
    "center",
    "div",
    "dd",
    "dt",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "ol",
    "pre",
    "section",
    "table",
    "tbody",
    "tr",
    "ul",
];

/// Elements from whose start on everything is an earlier mail.
const REST_IS_QUOTED: [&str; 5] =
    ["divrplyfwdmsg", "appendonsend", "olk_src_body_section", "mail-editor-reference-message-container", "_mailoriginal"];

/// Classes and ids of elements that hold an earlier mail and nothing else.
const QUOTE_HOLDERS: [&str; 6] =
    ["yahoo_quoted", "protonmail_quote", "zmail_extra", "moz-forward-container", "tutanota_quote", "freshdesk_quote"];

/// What a quoted passage is replaced with: the rules for plain text know it as a quote.
const MARK: &str = "<br>&gt; …<br>";

/// One tag of a document.
struct Tag<'a> {
    start: usize,
    end: usize,
    name: &'a str,
    closing: bool,
    attributes: &'a str,
}

impl Tag<'_> {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// True when one of the words stands in an attribute's value, whatever the case.
    fn mentions(&self, words: &[&str]) -> bool {
        if self.attributes.is_empty() {
            return false;
        }
        let attributes = self.attributes.to_ascii_lowercase();
        words.iter().any(|w| attributes.contains(w))
    }
}

/// The tags of `html` in order. Comments are passed over; an unclosed tag ends the list.
fn tags(html: &str) -> impl Iterator<Item = Tag<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + html.get(at..)?.find('<')?;
            let rest = html.get(start + 1..)?;
            if let Some(comment) = rest.strip_prefix("!--") {
                at = start + 4 + comment.find("-->")? + 3;
                continue;
            }
            let end = start + 1 + rest.find('>')? + 1;
            at = end;
            let inner = html.get(start + 1..end - 1)?;
            let closing = inner.starts_with('/');
            let inner = inner.trim_start_matches('/');
            let name_end = inner.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(inner.len());
            let (name, attributes) = inner.split_at(name_end);
            if !name.is_empty() {
                return Some(Tag { start, end, name, closing, attributes });
            }
        }
    })
}

/// The text that a reader of `html` sees. Addresses of links are not part of it.
pub fn to_text(html: &str) -> String {
    let mut broken = String::with_capacity(html.len() + html.len() / 8);
    let mut copied = 0;
    for tag in tags(html) {
        let gap = if BLOCKS.iter().any(|b| tag.is(b)) {
            "<br>"
        } else if tag.is("td") || tag.is("th") {
            " "
        } else {
            continue;
        };
        broken.push_str(&html[copied..tag.start]);
        broken.push_str(gap);
        broken.push_str(&html[tag.start..tag.end]);
        copied = tag.end;
    }
    broken.push_str(&html[copied..]);
    tidy(&html_to_text(&broken))
}

/// No trailing blanks, no hard spaces, at most one empty line in a row.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines() {
        let line = line.replace(['\u{a0}', '\u{200b}', '\u{feff}'], " ");
        let line = line.trim();
        if line.is_empty() {
            empty += 1;
            continue;
        }
        if !out.is_empty() {
            out.push_str(if empty > 0 { "\n\n" } else { "\n" });
        }
        empty = 0;
        out.push_str(line);
    }
    out
}

/// `html` with every quoted earlier mail replaced by a line that reads as a quote.
///
/// Returns the document and whether something was replaced that says of itself that it is a quote: a bare `blockquote` is
/// also how a desk may set off its agent's words (django-helpdesk does).
pub fn without_quotes(html: &str) -> (String, bool) {
    let mut out = String::with_capacity(html.len());
    let mut copied = 0;
    // Inside a quoted element: its name and how many of that name are open.
    let mut inside: Option<(&str, usize)> = None;
    let mut found = false;
    for tag in tags(html) {
        if let Some((name, depth)) = inside {
            if tag.is(name) {
                let depth = if tag.closing { depth - 1 } else { depth + 1 };
                inside = (depth > 0).then_some((name, depth));
                if depth == 0 {
                    copied = tag.end;
                }
            }
            continue;
        }
        if tag.closing {
            continue;
        }
        if tag.mentions(&REST_IS_QUOTED) {
            out.push_str(&html[copied..tag.start]);
            out.push_str(MARK);
            return (out, true);
        }
        if is_quote(&tag) {
            out.push_str(&html[copied..tag.start]);
            out.push_str(MARK);
            inside = Some((tag.name, 1));
            found |= !tag.is("blockquote") || names_itself_a_quote(&tag);
        }
    }
    // An element that is never closed reaches to the end.
    if inside.is_none() {
        out.push_str(&html[copied..]);
    }
    (out, found)
}

fn is_quote(tag: &Tag<'_>) -> bool {
    if tag.is("blockquote") {
        // Gmail's "indent" is a blockquote without a border; it holds new text.
        let attributes = tag.attributes.to_ascii_lowercase().replace(' ', "");
        return names_itself_a_quote(tag) || !attributes.contains("border:none");
    }
    tag.is("div") && tag.mentions(&QUOTE_HOLDERS)
}

fn names_itself_a_quote(tag: &Tag<'_>) -> bool {
    let attributes = tag.attributes.to_ascii_lowercase();
    attributes.contains("cite") || attributes.contains("quote")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_elements_break_lines_and_entities_are_decoded() {
        let html = "<html><head><title>x</title><style>p{}</style></head><body><div>Gr&uuml;&szlig;e</div><div>rpabc</div>\
                    <table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table><p>3 &lt; 5</p><ul><li>one</li><li>two</li></ul></body></html>";
        assert_eq!(to_text(html), "Grüße\n\nrpabc\n\na b\n\nc\n\n3 < 5\n\none\n\ntwo");
    }

    #[test]
    fn nested_and_unclosed_quotes_go_and_what_follows_a_closed_one_stays() {
        let (html, found) = without_quotes("<p>new</p><blockquote type=\"cite\">a<blockquote>b</blockquote>c</blockquote><p>below</p>");
        assert!(found);
        assert_eq!(to_text(&html), "new\n\n> …\nbelow");
        let (html, _) = without_quotes("new<blockquote>never closed");
        assert_eq!(to_text(&html), "new\n> …");
    }

    #[test]
    fn an_indented_passage_is_no_quote() {
        let html = "<blockquote style=\"margin: 0 0 0 40px; border: none; padding: 0px\">mine</blockquote>";
        assert!(!without_quotes(html).1);
    }

    #[test]
    fn broken_html_is_no_trouble() {
        for html in ["<", "<div", "<!-- x", "a < b", "</", "<>", "<div><", "&#x110000; &#xD800;"] {
            let _ = to_text(html);
            let _ = without_quotes(html);
        }
    }
}
