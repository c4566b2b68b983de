//! A page as a tree: read like a browser does, but never deeper, larger or longer than can be afforded.
//!
//! Which form a control belongs to is the parser's knowledge (HTML standard, 13.2.6.1 "create an element for the token"):
//! `<table><form>` and forms closed by a stray tag keep their controls only that way.

use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tree_builder::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::{Attribute, ParseOpts, QualName, parse_document};
use scraper::{Html, HtmlTreeSink};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A node's place in its tree.
pub(super) type NodeId = <HtmlTreeSink as TreeSink>::Handle;

/// Nodes of a page. Large pages of real sites have some ten thousand.
const MAX_NODES: usize = 250_000;
/// Elements within elements. Browsers stop near 512.
const MAX_DEPTH: usize = 1_024;
/// Bytes between two looks at what has become of the tree.
const CHUNK: usize = 512;
/// What a hostile page may cost; a proper one takes well under a second.
const LONGEST: Duration = Duration::from_secs(20);

/// A page, and which form each control belongs to.
pub(super) struct Tree {
    pub html: Html,
    pub owners: HashMap<NodeId, NodeId>,
}

/// Reads a page. The error says which bound it broke, as the rest of a sentence.
pub(super) fn parse(text: &str) -> Result<Tree, &'static str> {
    let began = Instant::now();
    let sink =
        Sink { inner: HtmlTreeSink::new(Html::new_document()), owners: RefCell::default(), nodes: Cell::new(0), newest: Cell::new(None) };
    let mut parser = parse_document(sink, ParseOpts::default());
    let mut rest = text;
    while !rest.is_empty() {
        let (chunk, later) = rest.split_at(boundary(rest, CHUNK));
        parser.process(StrTendril::from(chunk));
        rest = later;
        let sink = &parser.tokenizer.sink.sink;
        if sink.nodes.get() > MAX_NODES {
            return Err("it holds more than 250,000 elements");
        }
        if sink.too_deep() {
            return Err("its elements are nested more than 1,024 deep");
        }
        if began.elapsed() > LONGEST {
            return Err("it takes more than 20 s to be read");
        }
    }
    let (inner, owners) = parser.finish();
    Ok(Tree { html: inner, owners })
}

fn boundary(text: &str, at: usize) -> usize {
    let mut end = at.min(text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    end
}

/// Scraper's tree, with forms' owners and bounds.
struct Sink {
    inner: HtmlTreeSink,
    owners: RefCell<HashMap<NodeId, NodeId>>,
    nodes: Cell<usize>,
    newest: Cell<Option<NodeId>>,
}

impl Sink {
    fn too_deep(&self) -> bool {
        let html = self.inner.0.borrow();
        let newest = self.newest.get().and_then(|id| html.tree.get(id));
        newest.is_some_and(|node| node.ancestors().nth(MAX_DEPTH).is_some())
    }
}

impl TreeSink for Sink {
    type Handle = NodeId;
    type Output = (Html, HashMap<NodeId, NodeId>);
    type ElemName<'a> = <HtmlTreeSink as TreeSink>::ElemName<'a>;

    fn finish(self) -> Self::Output {
        (self.inner.finish(), self.owners.into_inner())
    }
    fn parse_error(&self, _: Cow<'static, str>) {}
    fn get_document(&self) -> NodeId {
        self.inner.get_document()
    }
    fn elem_name<'a>(&'a self, target: &'a NodeId) -> Self::ElemName<'a> {
        self.inner.elem_name(target)
    }
    fn create_element(&self, name: QualName, attrs: Vec<Attribute>, flags: ElementFlags) -> NodeId {
        let id = self.inner.create_element(name, attrs, flags);
        self.nodes.set(self.nodes.get() + 1);
        self.newest.set(Some(id));
        id
    }
    fn create_comment(&self, text: StrTendril) -> NodeId {
        self.nodes.set(self.nodes.get() + 1);
        self.inner.create_comment(text)
    }
    fn create_pi(&self, target: StrTendril, data: StrTendril) -> NodeId {
        self.nodes.set(self.nodes.get() + 1);
        self.inner.create_pi(target, data)
    }
    fn append(&self, parent: &NodeId, child: NodeOrText<NodeId>) {
        self.inner.append(parent, child);
    }
    fn append_based_on_parent_node(&self, element: &NodeId, previous: &NodeId, child: NodeOrText<NodeId>) {
        self.inner.append_based_on_parent_node(element, previous, child);
    }
    fn append_doctype_to_document(&self, name: StrTendril, public: StrTendril, system: StrTendril) {
        self.inner.append_doctype_to_document(name, public, system);
    }
    fn get_template_contents(&self, target: &NodeId) -> NodeId {
        self.inner.get_template_contents(target)
    }
    fn same_node(&self, x: &NodeId, y: &NodeId) -> bool {
        x == y
    }
    fn set_quirks_mode(&self, mode: QuirksMode) {
        self.inner.set_quirks_mode(mode);
    }
    fn append_before_sibling(&self, sibling: &NodeId, new: NodeOrText<NodeId>) {
        self.inner.append_before_sibling(sibling, new);
    }
    fn add_attrs_if_missing(&self, target: &NodeId, attrs: Vec<Attribute>) {
        self.inner.add_attrs_if_missing(target, attrs);
    }
    fn associate_with_form(&self, target: &NodeId, form: &NodeId, _: (&NodeId, Option<&NodeId>)) {
        self.owners.borrow_mut().insert(*target, *form);
    }
    fn remove_from_parent(&self, target: &NodeId) {
        self.inner.remove_from_parent(target);
    }
    fn reparent_children(&self, node: &NodeId, new_parent: &NodeId) {
        self.inner.reparent_children(node, new_parent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scraper::Selector;

    #[test]
    fn controls_of_a_form_inside_a_table_keep_their_form() {
        let tree = parse("<table><form id=f><tr><td><input id=i></td></tr></form></table><input id=loose>").unwrap();
        let id = |css: &str| tree.html.select(&Selector::parse(css).unwrap()).next().unwrap().id();
        assert_eq!(tree.owners.get(&id("#i")), Some(&id("#f")));
        assert_eq!(tree.owners.get(&id("#loose")), None);
    }

    #[test]
    fn pages_made_to_hurt_are_given_up() {
        let deep = "<div>".repeat(800_000);
        assert!(parse(&deep).err().unwrap().contains("1,024 deep"));
        let many = "<p>".repeat(1_000_000);
        assert!(parse(&many).err().unwrap().contains("250,000"));
        // Each paragraph opens every unclosed formatting element again.
        let mut formats: String = (0..900).map(|i| format!("<b a={i}>")).collect();
        formats.push_str(&"<p>x".repeat(500_000));
        assert!(parse(&formats).is_err());
    }
}
