//! How text looks on a terminal: colours with words beside them, symbols with a plain fallback, widths, durations.

use anstyle::{AnsiColor, Style};
use std::fmt::Display;

/// What the reader's terminal can show. Colour is stripped by `anstream` where it is not wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Symbols beyond ASCII.
    pub unicode: bool,
    /// Columns of a line.
    pub width: usize,
    /// Somebody reads on a terminal: texts are broken at words. Into a pipe or a file they stay whole.
    pub wrap: bool,
}

/// The size of the terminal behind a stream, in columns and rows; none when it is no terminal.
pub fn terminal(stream: impl std::os::fd::AsFd) -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((usize::from(size.ws_col), usize::from(size.ws_row)))
}

impl Look {
    /// Reads the locale of the environment: symbols only where it says UTF-8. `columns` is the width of the terminal on
    /// which results are shown, if they are; COLUMNS wins over it, and nothing is made for less than 60 columns.
    pub fn from_env(env: impl Fn(&str) -> Option<String>, columns: Option<usize>) -> Look {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| env(name).filter(|v| !v.is_empty())).unwrap_or_default();
        let locale = locale.to_ascii_lowercase().replace('-', "");
        let asked = env("COLUMNS").and_then(|c| c.parse().ok()).filter(|w| *w > 0).or(columns);
        Look { unicode: locale.contains("utf8"), width: asked.map_or(100, |w: usize| w.max(60)), wrap: asked.is_some() }
    }

    /// Plain ASCII, 100 columns, texts whole.
    pub const PLAIN: Look = Look { unicode: false, width: 100, wrap: false };

    /// Between two stages.
    pub fn arrow(self) -> &'static str {
        if self.unicode { "→" } else { ">" }
    }

    /// A stage that has not begun, or that is left out.
    pub fn dot(self) -> &'static str {
        if self.unicode { "·" } else { "." }
    }

    /// Before a heading's details.
    pub fn bar(self) -> &'static str {
        if self.unicode { "│" } else { "|" }
    }

    /// Something that was cut.
    pub fn ellipsis(self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }
}

/// Good news.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Bad news.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Could not tell.
pub const UNSURE: Style = AnsiColor::Yellow.on_default().bold();
/// Under way.
pub const BUSY: Style = AnsiColor::Cyan.on_default();
/// Beside the point.
pub const FAINT: Style = Style::new().dimmed();
/// A heading.
pub const STRONG: Style = Style::new().bold();

/// `text` in a style.
pub fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// The colour of an outcome or verdict word.
pub fn style_of(word: &str) -> Style {
    match word {
        "pass" | "ok" => GOOD,
        "fail" => BAD,
        "unknown" => UNSURE,
        _ => FAINT,
    }
}

/// Seconds for people: `0.4s`, `12s`, `3m05`, `2h10m`, `3d04h`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 9.95 {
        return format!("{seconds:.1}s");
    }
    let whole = seconds.round() as u64;
    match whole {
        0..=59 => format!("{whole}s"),
        60..=3_599 => format!("{}m{:02}", whole / 60, whole % 60),
        3_600..=86_399 => format!("{}h{:02}m", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{}d{:02}h", whole / 86_400, whole % 86_400 / 3_600),
    }
}

/// A configured time, exactly: `15m`, `1h30m`, `250ms`.
pub fn interval(time: std::time::Duration) -> String {
    let mut millis = time.as_millis();
    let mut out = String::new();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if millis >= size {
            out.push_str(&format!("{}{unit}", millis / size));
            millis %= size;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

/// A moment for people, to the second, in UTC: `2026-11-25 08:00:00Z`.
pub fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Time since the run began: `+12.3s`.
pub fn offset(started: jiff::Timestamp, at: jiff::Timestamp) -> String {
    let seconds = (at.as_microsecond() - started.as_microsecond()) as f64 / 1e6;
    format!("{}{}", if seconds < 0.0 { "-" } else { "+" }, duration(seconds.abs()))
}

/// Characters that a string takes on the screen. Every character counts as one column, which holds for
/// the names that we make ourselves.
pub fn columns(text: &str) -> usize {
    text.chars().count()
}

/// `text`, cut to `width` columns.
pub fn cut(text: &str, width: usize, look: Look) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mark = look.ellipsis();
    let keep = width.saturating_sub(columns(mark));
    text.chars().take(keep).chain(mark.chars()).collect()
}

/// The lines of `text`, broken at words to at most `width` columns where the look asks for it. A word that is longer (an
/// address, a command's argument) stays whole.
pub fn wrapped(text: &str, width: usize, look: Look) -> Vec<String> {
    if !look.wrap {
        return text.lines().map(str::to_owned).collect();
    }
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut rest = line;
        while columns(rest) > width {
            // The last space that keeps the line short enough, else the first one after it.
            let end = rest.char_indices().nth(width + 1).map_or(rest.len(), |(at, _)| at);
            let begun = rest.len() - rest.trim_start().len();
            let fits = rest[..end].rfind(' ').filter(|at| *at > begun);
            let Some(at) = fits.or_else(|| rest[end..].find(' ').map(|at| end + at)) else { break };
            lines.push(rest[..at].trim_end().to_owned());
            rest = rest[at..].trim_start();
        }
        lines.push(rest.to_owned());
    }
    lines
}

/// `text` with control characters made visible, so that what a stranger wrote cannot drive the terminal.
/// Line feeds and tabs stay.
pub fn safe(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// A table: columns as wide as their widest cell, two spaces between, the last one ragged.
/// Cells are (style, text).
pub fn table(rows: &[Vec<(Style, String)>]) -> String {
    let widths = widths(rows);
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (i, (style, text)) in row.iter().enumerate() {
            line.push_str(&paint(*style, text));
            if i + 1 < row.len() {
                line.push_str(&" ".repeat(widths[i] - columns(text) + 2));
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A table for a terminal: where it is too narrow, columns of `spare` (the first first) are left out, then the last
/// column is broken at words. Elsewhere the whole table, so that programs find their columns.
pub fn table_within(mut rows: Vec<Vec<(Style, String)>>, spare: &[usize], look: Look) -> String {
    if !look.wrap {
        return table(&rows);
    }
    let mut spare = spare.to_vec();
    loop {
        let widths = widths(&rows);
        let Some((last, others)) = widths.split_last() else { return String::new() };
        let room = look.width.saturating_sub(others.iter().map(|w| w + 2).sum());
        if room >= *last || room >= ENOUGH || spare.is_empty() {
            return table(&broken(rows, room.max(ENOUGH), look));
        }
        let gone = spare.remove(0);
        for row in &mut rows {
            row.remove(gone);
        }
        spare.iter_mut().filter(|i| **i > gone).for_each(|i| *i -= 1);
    }
}

/// Columns in which a sentence can be read.
const ENOUGH: usize = 30;

fn widths(rows: &[Vec<(Style, String)>]) -> Vec<usize> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    (0..count).map(|i| rows.iter().filter_map(|r| r.get(i)).map(|(_, text)| columns(text)).max().unwrap_or(0)).collect()
}

/// The rows with further ones for what does not fit into the last column.
fn broken(rows: Vec<Vec<(Style, String)>>, room: usize, look: Look) -> Vec<Vec<(Style, String)>> {
    let mut out = Vec::new();
    for mut row in rows {
        let Some((style, text)) = row.pop() else { continue };
        let others = row.len();
        let mut lines = wrapped(&text, room, look).into_iter();
        row.push((style, lines.next().unwrap_or_default()));
        out.push(row);
        out.extend(lines.map(|line| {
            let mut more = vec![(style, String::new()); others];
            more.push((style, line));
            more
        }));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well_at_every_size() {
        let shown = [0.04, 9.94, 9.96, 59.4, 59.6, 185.0, 7_800.0, 273_600.0].map(duration);
        assert_eq!(shown, ["0.0s", "9.9s", "10s", "59s", "1m00", "3m05", "2h10m", "3d04h"]);
    }

    #[test]
    fn configured_times_are_shown_exactly() {
        let shown = [900_000, 5_400_000, 250, 90_061_000, 0].map(|ms| interval(std::time::Duration::from_millis(ms)));
        assert_eq!(shown, ["15m", "1h30m", "250ms", "1d1h1m1s", "0s"]);
    }

    #[test]
    fn symbols_need_a_locale_that_says_utf8() {
        let with = |value: &'static str| Look::from_env(move |name| (name == "LANG").then(|| value.to_owned()), None).unicode;
        assert!(with("en_GB.UTF-8") && with("C.utf8"));
        assert!(!with("C") && !with(""));
    }

    #[test]
    fn the_width_is_that_of_the_terminal_unless_the_environment_says_otherwise() {
        let none = |_: &str| None;
        let ninety = |name: &str| (name == "COLUMNS").then(|| "90".to_owned());
        let of = |look: Look| (look.width, look.wrap);
        assert_eq!(of(Look::from_env(none, Some(80))), (80, true));
        assert_eq!(of(Look::from_env(none, Some(20))), (60, true));
        assert_eq!(of(Look::from_env(none, None)), (100, false));
        assert_eq!(of(Look::from_env(ninety, Some(80))), (90, true));
    }

    #[test]
    fn texts_are_broken_at_words_and_only_for_a_terminal() {
        let look = Look { wrap: true, ..Look::PLAIN };
        assert_eq!(wrapped("one two three\n\nfour", 8, look), ["one two", "three", "", "four"]);
        assert_eq!(wrapped("see http://a.very.long.address for it", 10, look), ["see", "http://a.very.long.address", "for it"]);
        assert_eq!(wrapped("ten chars.", 10, look), ["ten chars."]);
        assert_eq!(wrapped("exactly ten", 7, look), ["exactly", "ten"]);
        assert_eq!(wrapped("für zwölf Körbe", 9, look), ["für zwölf", "Körbe"]);
        assert_eq!(wrapped("one two three", 8, Look::PLAIN), ["one two three"]);
    }

    #[test]
    fn a_strangers_text_cannot_drive_the_terminal() {
        assert_eq!(safe("a\x1b[31mb\r\u{202e}c\n"), "a\u{fffd}[31mb\u{fffd}\u{fffd}c\n");
    }

    #[test]
    fn a_table_lines_up_whatever_its_colours() {
        let cell = |s: Style, t: &str| (s, t.to_owned());
        let rows = vec![vec![cell(GOOD, "ok"), cell(STRONG, "billing")], vec![cell(BAD, "FAIL"), cell(STRONG, "x")]];
        assert_eq!(anstream::adapter::strip_str(&table(&rows)).to_string(), "ok    billing\nFAIL  x\n");
    }

    #[test]
    fn a_table_gives_up_spare_columns_and_then_breaks_its_last_one() {
        let cell = |t: &str| (Style::new(), t.to_owned());
        let rows = vec![vec![cell("return-in-spam"), cell("minor"), cell("the answer of the agent is delivered to the spam folder")]];
        let within = |width, wrap| {
            let text = table_within(rows.clone(), &[1], Look { width, wrap, ..Look::PLAIN });
            anstream::adapter::strip_str(&text).to_string()
        };
        assert_eq!(within(80, true), "return-in-spam  minor  the answer of the agent is delivered to the spam folder\n");
        assert_eq!(
            within(60, true),
            "return-in-spam  minor  the answer of the agent is delivered to\n                       the spam folder\n"
                .replace("delivered to\n                       ", "delivered\n                       to ")
        );
        assert_eq!(within(50, true), "return-in-spam  the answer of the agent is\n                delivered to the spam folder\n");
        assert_eq!(within(50, false), within(80, true), "whole for programs");
    }
}
