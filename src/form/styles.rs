//! Whether a page's own styles hide an element: enough of CSS to know a trap for robots when it stands there.
//!
//! Only what a page carries itself is read (`<style>` and `style=`): rules of one or two simple selectors, weighed as CSS
//! Cascading 4, section 6, does. Rules for print, for small windows or with pseudo-classes say nothing of a visible page.

use scraper::{ElementRef, Selector};
use std::cell::Cell;
use std::collections::HashMap;

/// Rules that are kept.
const MAX_RULES: usize = 4_000;
/// What comparing rules with elements may cost on one page; a rule of two elements costs more.
const WORK: u32 = 5_000_000;
/// Left or above of the page by so much is out of sight.
const FAR: f64 = -400.0;

/// What one block of declarations says of sight; none where it says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Says {
    display_none: Option<bool>,
    invisible: Option<bool>,
    transparent: Option<bool>,
    off_screen: Option<bool>,
    tiny: Option<bool>,
    clipped: Option<bool>,
    cut: Option<bool>,
}

struct Rule {
    selector: Selector,
    weight: u32,
    cost: u32,
    says: Says,
}

/// The rules of a page that bear on sight.
#[derive(Default)]
pub(super) struct Styles {
    rules: Vec<Rule>,
    /// Rules by what their last part asks for: `#id`, `.class`, `tag`, or `*`.
    by_key: HashMap<String, Vec<usize>>,
    spent: Cell<u32>,
}

impl Styles {
    /// Adds the text of a `<style>` element.
    pub fn add(&mut self, css: &str) {
        let css = without_comments(css);
        self.block(&css, 0);
    }

    fn block(&mut self, css: &str, depth: usize) {
        let mut rest = css;
        while let Some(open) = rest.find(['{', ';']) {
            let (prelude, after) = rest.split_at(open);
            let prelude = prelude.trim();
            let Some(after) = after.strip_prefix('{') else {
                // A statement such as @import.
                rest = &after[1..];
                continue;
            };
            let end = closing(after);
            let body = &after[..end];
            rest = after.get(end + 1..).unwrap_or_default();
            if let Some(at) = prelude.strip_prefix('@') {
                let at = at.to_ascii_lowercase();
                let always = at.starts_with("layer") || matches!(at.trim(), "media screen" | "media all" | "media only screen");
                if always && depth < 4 {
                    self.block(body, depth + 1);
                }
            } else {
                self.rule(prelude, body);
            }
        }
    }

    fn rule(&mut self, selectors: &str, body: &str) {
        let says = declared(body);
        if says == Says::default() {
            return;
        }
        for one in selectors.split(',').map(str::trim) {
            // Pseudo-classes say how it looks at times; more than two parts are beyond what a trap is made of.
            if self.rules.len() >= MAX_RULES || one.is_empty() || one.len() > 200 || one.contains(':') {
                continue;
            }
            let parts = one.split([' ', '>', '+', '~']).filter(|p| !p.is_empty()).count();
            let Some(last) = one.rsplit([' ', '>', '+', '~']).next().filter(|_| parts <= 2) else { continue };
            let Ok(selector) = Selector::parse(one) else { continue };
            let index = self.rules.len();
            self.rules.push(Rule { selector, weight: weight(one), cost: if parts > 1 { 40 } else { 1 }, says });
            self.by_key.entry(key(last)).or_default().push(index);
        }
    }

    /// Why the element itself is out of sight; none when its styles do not hide it. `control`: it is an input.
    pub fn hides(&self, element: &ElementRef<'_>, control: bool) -> Option<&'static str> {
        let mut all: Vec<(u32, usize, Says)> = Vec::new();
        let value = element.value();
        let keys = value.id().map(|id| format!("#{id}")).into_iter();
        let keys = keys.chain(value.classes().map(|c| format!(".{c}"))).chain([value.name().to_owned(), "*".to_owned()]);
        if !self.rules.is_empty() {
            for index in keys.filter_map(|k| self.by_key.get(&k)).flatten() {
                let rule = &self.rules[*index];
                if self.spent.get() > WORK {
                    break;
                }
                self.spent.set(self.spent.get() + rule.cost);
                if rule.selector.matches(element) {
                    all.push((rule.weight, *index, rule.says));
                }
            }
        }
        if let Some(style) = element.attr("style") {
            all.push((1_000_000, usize::MAX, declared(style)));
        }
        all.sort_by_key(|(weight, index, _)| (*weight, *index));
        let last = |pick: fn(&Says) -> Option<bool>| all.iter().rev().find_map(|(_, _, says)| pick(says)).unwrap_or(false);
        if last(|s| s.display_none) {
            Some("display: none")
        } else if last(|s| s.invisible) {
            Some("visibility: hidden")
        } else if last(|s| s.transparent) {
            Some("opacity: 0")
        } else if last(|s| s.off_screen) {
            Some("placed off the screen")
        } else if last(|s| s.clipped) || (last(|s| s.tiny) && (control || last(|s| s.cut))) {
            Some("of no size")
        } else {
            None
        }
    }
}

fn without_comments(css: &str) -> String {
    let mut out = String::with_capacity(css.len());
    let mut rest = css;
    while let Some((before, after)) = rest.split_once("/*") {
        out.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, later)| later);
    }
    out.push_str(rest);
    out
}

/// Where the block ends whose opening brace was just passed.
fn closing(text: &str) -> usize {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// The weight of a selector: ids before classes and attributes before element names.
fn weight(selector: &str) -> u32 {
    let count = |chars: &[char]| u32::try_from(selector.matches(chars).count()).unwrap_or(u32::MAX).min(99);
    let names = selector.split([' ', '>', '+', '~']).filter(|p| p.starts_with(|c: char| c.is_ascii_alphabetic())).count();
    count(&['#']) * 10_000 + count(&['.', '[']) * 100 + u32::try_from(names).unwrap_or(99).min(99)
}

fn key(part: &str) -> String {
    let name = |text: &str| text.find(['.', '#', '[']).map_or(text.len(), |at| at);
    if let Some((_, id)) = part.split_once('#') {
        return format!("#{}", &id[..name(id)]);
    }
    if let Some((_, class)) = part.split_once('.') {
        return format!(".{}", &class[..name(class)]);
    }
    let tag = &part[..name(part)];
    if tag.is_empty() { "*".to_owned() } else { tag.to_ascii_lowercase() }
}

/// Reads a block of declarations.
fn declared(body: &str) -> Says {
    let mut says = Says::default();
    for declaration in body.split(';') {
        let Some((name, value)) = declaration.split_once(':') else { continue };
        let value = value.trim().to_ascii_lowercase();
        let value = value.trim_end_matches("!important").trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "display" => says.display_none = Some(value == "none"),
            "visibility" => says.invisible = Some(matches!(value, "hidden" | "collapse")),
            "opacity" => says.transparent = value.trim_end_matches('%').parse::<f64>().ok().map(|n| n <= 0.01),
            "left" | "top" | "right" | "bottom" | "margin-left" | "margin-top" | "text-indent" => {
                says.off_screen = Some(says.off_screen.unwrap_or(false) || length(value).is_some_and(|n| n <= FAR));
            }
            "transform" => {
                says.off_screen = Some(says.off_screen.unwrap_or(false) || value.contains("(-9999") || value.contains("scale(0)"))
            }
            "width" | "height" | "max-height" | "max-width" => {
                says.tiny = Some(says.tiny.unwrap_or(false) || length(value).is_some_and(|n| n.abs() <= 1.0));
            }
            "clip" => says.clipped = Some(value.starts_with("rect(") && !value.contains("auto")),
            "clip-path" => says.clipped = Some(value.contains("inset(50%") || value.contains("inset(100%") || value.contains("circle(0")),
            "overflow" | "overflow-x" | "overflow-y" => says.cut = Some(matches!(value, "hidden" | "clip")),
            _ => {}
        }
    }
    says
}

/// A length in pixels, roughly: an em or a rem is 16 of them. Percentages and words are none.
fn length(value: &str) -> Option<f64> {
    let end = value.find(|c: char| !c.is_ascii_digit() && !matches!(c, '-' | '.' | '+')).unwrap_or(value.len());
    let number: f64 = value[..end].parse().ok()?;
    match value[end..].trim() {
        "" | "px" => Some(number),
        "em" | "rem" => Some(number * 16.0),
        "vw" | "vh" => Some(number * 10.0),
        "%" if number < 0.0 => Some(number * 10.0),
        "%" if number == 0.0 => Some(0.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scraper::Html;

    fn hidden(css: &str, element: &str) -> Option<&'static str> {
        let html = Html::parse_document(&format!("<div class=out>{element}</div>"));
        let mut styles = Styles::default();
        styles.add(css);
        let found = html.select(&Selector::parse("#x").unwrap()).next().unwrap();
        styles.hides(&found, found.value().name() == "input")
    }

    #[test]
    fn every_way_of_hiding_a_trap_is_seen() {
        for style in [
            "display:none",
            "DISPLAY : None !important",
            "visibility:hidden",
            "opacity:0",
            "position:absolute;left:-9999px",
            "position:absolute; top: -100em",
            "height:0;width:0",
            "clip: rect(0 0 0 0)",
            "clip-path: inset(50%)",
            "transform: translateX(-9999px)",
        ] {
            assert!(hidden("", &format!("<input id=x style='{style}'>")).is_some(), "{style}");
            assert!(hidden(&format!("p{{color:red}} input.a {{ {style} }}"), "<input id=x class=a>").is_some(), "{style}");
        }
        assert_eq!(hidden(".out .a{display:none}", "<input id=x class=a>"), Some("display: none"));
        assert_eq!(hidden("@media screen{#x{display:none}}", "<input id=x>"), Some("display: none"));
        assert_eq!(hidden("@import 'x'; input[name=url]{display:none}", "<input id=x name=url>"), Some("display: none"));
        assert_eq!(hidden(".b{height:0;overflow:hidden}", "<p id=x class=b>t</p>"), Some("of no size"));
    }

    #[test]
    fn what_is_only_hidden_at_times_or_shown_again_is_visible() {
        for (css, element) in [
            ("@media print{#x{display:none}}", "<input id=x>"),
            ("@media (max-width:600px){#x{display:none}}", "<input id=x>"),
            ("#x:disabled{display:none}", "<input id=x>"),
            (".a{display:none} .a.b{display:block}", "<input id=x class='a b'>"),
            ("#x{display:block} .a{display:none}", "<input id=x class=a>"),
            (".a{display:none}", "<input id=x class=a style='display:inline'>"),
            ("/* #x{display:none} */ .y{display:none}", "<input id=x>"),
            ("#x{left:-5px;height:20px;opacity:.5}", "<input id=x>"),
            (".b{height:1px}", "<p id=x class=b>t</p>"),
        ] {
            assert_eq!(hidden(css, element), None, "{css}");
        }
    }

    #[test]
    fn broken_styles_are_no_trouble() {
        for css in ["{", "}", "@", "@media{", "a{", "a{b", "/*", "a{:;:;}", ";;;", "\u{e4}{display:none", "a{left:-}"] {
            hidden(css, "<input id=x>");
        }
    }
}
