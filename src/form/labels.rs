//! What people call a control: its label, however it is tied to it.

use super::page::Control;
use scraper::{ElementRef, Node};
use std::collections::HashMap;

/// Nodes that are looked at for one label: an element that holds a whole page is no label.
const MAX_NODES: usize = 2_000;

/// The text of an element.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub text: String,
    /// It holds controls.
    pub controls: bool,
}

/// The text in an element without what stands in its controls, at most `most` bytes and a bit.
pub(super) fn text_of(element: &ElementRef<'_>, most: usize) -> Text {
    let mut found = Text::default();
    let root = **element;
    let mut node = root;
    for _ in 0..MAX_NODES {
        let mut enter = true;
        match node.value() {
            Node::Text(text) => found.text.push_str(text),
            Node::Element(inner) if node != root => match inner.name() {
                "select" | "textarea" | "input" | "button" => {
                    found.controls |= inner.attr("type") != Some("hidden");
                    enter = false;
                }
                "script" | "style" | "template" => enter = false,
                _ => found.text.push(' '),
            },
            _ => {}
        }
        if found.text.len() > 4 * most {
            break;
        }
        let child = if enter { node.first_child() } else { None };
        let mut next = child;
        let mut at = node;
        while next.is_none() && at != root {
            next = at.next_sibling();
            let Some(parent) = at.parent() else { break };
            at = parent;
        }
        let Some(following) = next else { break };
        node = following;
    }
    let words: Vec<&str> = found.text.split_whitespace().collect();
    found.text = shortened(&words.join(" "), most);
    found
}

/// One line of at most 200 bytes.
pub(super) fn clipped(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    shortened(&words.join(" "), 200)
}

/// A label as people say it: without the marks around it.
pub(super) fn called(text: &str) -> String {
    clipped(text).trim_matches(|c: char| c.is_whitespace() || matches!(c, '*' | ':')).to_owned()
}

/// The beginning of a text, cut where a character ends.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// Elements by id, and labels by the id that they are for.
#[derive(Default)]
pub(super) struct Names<'a> {
    by_id: HashMap<&'a str, ElementRef<'a>>,
    labels: HashMap<&'a str, Vec<ElementRef<'a>>>,
}

impl<'a> Names<'a> {
    /// Remembers an element that others may point to.
    pub fn note(&mut self, element: &ElementRef<'a>) {
        if let Some(id) = element.value().id() {
            self.by_id.entry(id).or_insert(*element);
        }
        if element.value().name() == "label"
            && let Some(target) = element.attr("for")
        {
            self.labels.entry(target).or_default().push(*element);
        }
    }

    /// The element with that id.
    pub fn element(&self, id: &str) -> Option<ElementRef<'a>> {
        self.by_id.get(id).copied()
    }

    /// The text of the elements that `aria-labelledby` names.
    pub fn by_ids(&self, ids: Option<&str>) -> Option<String> {
        let texts: Vec<String> = ids?.split_whitespace().take(5).filter_map(|id| self.element(id)).map(|e| text_of(&e, 200).text).collect();
        let joined = texts.join(" ");
        (!joined.trim().is_empty()).then(|| clipped(&joined))
    }

    /// Gives a control its labels; `around`: the text of the label that it stands in.
    pub fn label(&self, control: &mut Control, element: &ElementRef<'a>, around: Option<&str>) {
        let tied = self.labels.get(control.id.as_str()).filter(|_| !control.id.is_empty());
        let tied = tied.into_iter().flatten().take(4).map(|label| text_of(label, 200).text);
        let mut found: Vec<String> = tied.chain(around.map(str::to_owned)).collect();
        found.extend(self.by_ids(element.attr("aria-labelledby")));
        found.extend(element.attr("aria-label").map(clipped));
        for text in found.iter().map(|text| called(text)) {
            if !text.is_empty() && !control.labels.contains(&text) {
                control.labels.push(text);
            }
        }
    }

    /// Adds what stands for a label where there is none.
    pub fn spare(&self, control: &mut Control, element: &ElementRef<'a>) {
        for text in ["placeholder", "title"].into_iter().filter_map(|name| element.attr(name)).map(called) {
            if !text.is_empty() && !control.labels.contains(&text) {
                control.labels.push(text);
            }
        }
    }
}
