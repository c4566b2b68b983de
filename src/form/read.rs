//! From the tree of a page to plain data, in one walk.

use super::captcha;
use super::controls;
use super::dom::{NodeId, Tree};
use super::labels::{Names, called, clipped, text_of};
use super::origin::Policy;
use super::page::{Control, Form, Notice, Page};
use super::styles::Styles;
use encoding_rs::Encoding;
use reqwest::Url;
use scraper::{ElementRef, Node, Selector};
use std::collections::HashMap;

/// Lines of a page that are kept.
const MAX_LINES: usize = 5_000;
/// Messages of a page that are kept.
const MAX_NOTICES: usize = 20;

/// Elements that begin on a line of their own.
const BLOCKS: [&str; 32] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "br",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "fieldset",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "p",
    "pre",
    "section",
    "table",
    "td",
    "th",
    "tr",
    "ul",
];

/// One step of the walk.
enum Step<'a> {
    Open(ElementRef<'a>),
    Text(&'a str),
    Close,
}

/// What an element passes on to what is inside it.
#[derive(Clone, Default)]
struct Inside {
    /// Nobody sees it.
    unseen: bool,
    /// Within a form: why its fields are not seen.
    hidden: Option<&'static str>,
    disabled: bool,
    /// The text of the label around it.
    label: Option<String>,
    /// The heading of its group.
    group: String,
    form: Option<usize>,
    notice: bool,
    /// Nothing here is for people: scripts, styles.
    skipped: bool,
    block: bool,
}

struct Reader<'a> {
    names: Names<'a>,
    styles: Styles,
    owners: &'a HashMap<NodeId, NodeId>,
    forms_by_id: HashMap<NodeId, usize>,
    chosen: Option<Selector>,
    /// A `<base>` was met.
    based: bool,
    page: Page,
    line: String,
    /// The last text before the place, since the last control.
    before: String,
    before_done: bool,
    /// A box or radio button that still waits for the text behind it.
    waiting: Option<(usize, usize)>,
    /// Controls that belong to no form.
    loose: Form,
}

/// Reads a page. `chosen`: the selector of the probe's form.
pub(super) fn read(tree: &Tree, url: &Url, encoding: &'static Encoding, policy: Policy, chosen: Option<Selector>) -> Page {
    let page = Page {
        base: url.clone(),
        encoding,
        title: String::new(),
        forms: Vec::new(),
        lines: Vec::new(),
        notices: Vec::new(),
        captchas: Vec::new(),
        scripts: false,
        frames: Vec::new(),
        policy,
    };
    let mut reader = Reader {
        names: Names::default(),
        styles: Styles::default(),
        owners: &tree.owners,
        forms_by_id: HashMap::new(),
        chosen,
        based: false,
        page,
        line: String::new(),
        before: String::new(),
        before_done: false,
        waiting: None,
        loose: Form::default(),
    };
    steps(tree, |step| {
        if let Step::Open(element) = step {
            reader.prepare(&element);
        }
    });
    let mut stack = vec![Inside::default()];
    steps(tree, |step| match step {
        Step::Open(element) => {
            let outer = stack.last().cloned().unwrap_or_default();
            let inner = reader.open(&element, &outer);
            stack.push(inner);
        }
        Step::Text(text) => {
            if let Some(inside) = stack.last() {
                reader.text(text, inside);
            }
        }
        Step::Close => {
            if stack.pop().is_some_and(|inside| inside.block) {
                reader.end_of_line();
            }
        }
    });
    reader.end_of_line();
    reader.page
}

/// Walks the tree without recursion.
fn steps<'a>(tree: &'a Tree, mut f: impl FnMut(Step<'a>)) {
    let root = tree.html.tree.root();
    let mut node = root;
    loop {
        let opened = match node.value() {
            Node::Element(_) => ElementRef::wrap(node).map(|e| f(Step::Open(e))).is_some(),
            Node::Text(text) => {
                f(Step::Text(text));
                false
            }
            _ => false,
        };
        if let Some(child) = node.first_child() {
            node = child;
            continue;
        }
        if opened {
            f(Step::Close);
        }
        loop {
            if let Some(next) = node.next_sibling() {
                node = next;
                break;
            }
            let Some(parent) = node.parent() else { return };
            if parent.value().is_element() {
                f(Step::Close);
            }
            node = parent;
        }
    }
}

impl<'a> Reader<'a> {
    /// The first walk: what is needed before the first control is met.
    fn prepare(&mut self, element: &ElementRef<'a>) {
        self.names.note(element);
        match element.value().name() {
            "style" => element.text().for_each(|css| self.styles.add(css)),
            // The first one counts.
            "base" if !self.based => {
                self.based = element.attr("href").is_some();
                if let Some(base) = element.attr("href").and_then(|href| self.page.base.join(href).ok()) {
                    self.page.base = base;
                }
            }
            "meta" if element.attr("name").is_some_and(|n| n.eq_ignore_ascii_case("referrer")) => {
                self.page.policy = element.attr("content").and_then(Policy::read).unwrap_or(self.page.policy);
            }
            "title" if self.page.title.is_empty() => self.page.title = text_of(element, 200).text,
            "form" => {
                let index = self.page.forms.len();
                self.forms_by_id.insert(element.id(), index);
                let chosen = self.chosen.as_ref().is_some_and(|s| {
                    s.matches(element) || element.ancestors().filter_map(ElementRef::wrap).take(64).any(|outer| s.matches(&outer))
                });
                self.page.forms.push(controls::form(element, chosen));
            }
            _ => {}
        }
    }

    fn open(&mut self, element: &ElementRef<'a>, outer: &Inside) -> Inside {
        let mut inside = Inside { block: false, ..outer.clone() };
        let name = element.value().name();
        match name {
            "script" => self.page.scripts = true,
            "iframe" | "frame" => self.page.frames.extend(element.attr("src").filter(|s| !s.is_empty()).map(clipped)),
            _ => {}
        }
        inside.skipped |= matches!(name, "script" | "style" | "template" | "noscript" | "head" | "object" | "svg" | "datalist");
        inside.form = self.forms_by_id.get(&element.id()).copied().or(outer.form);
        self.page.captchas.extend(captcha::mark(element, inside.form));
        if inside.skipped && name != "head" {
            return inside;
        }
        let is_control = matches!(name, "input" | "select" | "textarea" | "button");
        let hides = element.attr("hidden").map(|_| "hidden").or_else(|| self.styles.hides(element, is_control));
        inside.unseen |= hides.is_some();
        inside.hidden = inside.hidden.or(hides).or_else(|| {
            let aria = element.attr("aria-hidden").is_some_and(|v| v.eq_ignore_ascii_case("true"));
            aria.then_some("aria-hidden")
        });
        if name == "form" {
            // A form that opens on a click is hidden as a whole: its fields are not traps for that.
            inside.hidden = None;
        }
        inside.block = BLOCKS.contains(&name);
        if inside.block {
            self.end_of_line();
        }
        self.container(element, name, &mut inside);
        if is_control {
            self.control(element, &inside);
        }
        self.notice(element, &mut inside);
        // What stands in a list, a text field or a button is no running text.
        inside.skipped |= matches!(name, "select" | "textarea" | "button");
        inside
    }

    fn container(&mut self, element: &ElementRef<'a>, name: &str, inside: &mut Inside) {
        match name {
            "label" => inside.label = Some(text_of(element, 200).text),
            "fieldset" => {
                inside.disabled |= element.attr("disabled").is_some();
                let legend = element.child_elements().find(|e| e.value().name() == "legend");
                inside.group = legend.map(|l| called(&text_of(&l, 200).text)).unwrap_or_default();
            }
            "legend" => inside.disabled = false,
            _ if element.attr("role").is_some_and(|r| matches!(r, "radiogroup" | "group")) => {
                let name = self.names.by_ids(element.attr("aria-labelledby")).or_else(|| element.attr("aria-label").map(clipped));
                inside.group = name.map(|n| called(&n)).unwrap_or_default();
            }
            _ => {}
        }
    }

    fn notice(&mut self, element: &ElementRef<'a>, inside: &mut Inside) {
        if inside.notice || inside.unseen || self.page.notices.len() >= MAX_NOTICES {
            return;
        }
        let Some(error) = marks_a_notice(element) else { return };
        let found = text_of(element, 200);
        if found.text.contains(char::is_alphanumeric) && !found.controls {
            inside.notice = true;
            self.page.notices.push(Notice { text: found.text, error });
        }
    }

    fn control(&mut self, element: &ElementRef<'a>, inside: &Inside) {
        let mut control = controls::control(element);
        let owner = element.attr("form").and_then(|id| self.names.element(id));
        // `form=` wins over the form around it, also when it names none.
        let owner = match element.attr("form") {
            Some(_) => owner.and_then(|form| self.forms_by_id.get(&form.id()).copied()),
            None => self.owners.get(&element.id()).and_then(|form| self.forms_by_id.get(form).copied()).or(inside.form),
        };
        control.disabled |= inside.disabled;
        control.group.clone_from(&inside.group);
        let stays = control.kind == "hidden" || control.is_button();
        if !stays {
            self.names.label(&mut control, element, inside.label.as_deref());
            if control.group.is_empty() && control.kind == "radio" {
                control.group = called(&self.before);
            }
            if control.labels.is_empty() && !matches!(control.kind.as_str(), "checkbox" | "radio") && !self.before.trim().is_empty() {
                control.labels.push(called(&self.before));
            }
            self.names.spare(&mut control, element);
        }
        control.hidden = controls::unseen(&control, inside.hidden);
        self.fault_found(&control, element);
        let form = owner.map_or(&mut self.loose, |index| &mut self.page.forms[index]);
        self.waiting = None;
        if !stays && control.hidden.is_none() {
            let boxed = matches!(control.kind.as_str(), "checkbox" | "radio");
            if boxed && control.labels.is_empty() {
                self.waiting = owner.map(|index| (index, form.controls.len()));
            }
            // The heading of radio buttons is for all of them.
            if control.kind != "radio" {
                self.before.clear();
            }
        }
        form.controls.push(control);
    }

    /// What the page says against a control that it marks as wrong.
    fn fault_found(&mut self, control: &Control, element: &ElementRef<'a>) {
        if !control.invalid || control.hidden.is_some() || self.page.notices.len() >= MAX_NOTICES {
            return;
        }
        let told = self.names.by_ids(element.attr("aria-errormessage")).or_else(|| self.names.by_ids(element.attr("aria-describedby")));
        self.page.notices.extend(told.map(|text| Notice { text: format!("{}: {text}", control.label()), error: true }));
    }

    fn text(&mut self, text: &str, inside: &Inside) {
        if inside.skipped || inside.unseen {
            return;
        }
        if let Some((form, at)) = self.waiting {
            let label = &mut self.page.forms[form].controls[at].labels;
            match label.first_mut() {
                None if !text.trim().is_empty() => label.push(called(text)),
                _ => {}
            }
        } else if inside.label.is_none() || !text.trim().is_empty() {
            if std::mem::take(&mut self.before_done) && !text.trim().is_empty() {
                self.before.clear();
            }
            if self.before.len() < 200 {
                self.before.push_str(text);
            }
        }
        if self.page.lines.len() < MAX_LINES {
            self.line.push_str(text);
        }
    }

    fn end_of_line(&mut self) {
        self.waiting = None;
        self.before_done = !self.before.trim().is_empty();
        let words: Vec<&str> = self.line.split_whitespace().collect();
        if !words.is_empty() {
            self.page.lines.push(words.join(" "));
        }
        self.line.clear();
    }
}

/// Whether the element is a message: `Some(true)` when it is marked as an error.
fn marks_a_notice(element: &ElementRef<'_>) -> Option<bool> {
    let value = element.value();
    if matches!(value.name(), "html" | "body" | "form" | "fieldset" | "input" | "textarea" | "select" | "button" | "table" | "a") {
        return None;
    }
    let mut mild = element.attr("role").is_some_and(|r| r == "alert");
    let words = value.classes().chain(value.id()).map(str::to_ascii_lowercase);
    for word in words {
        let parts = || word.split(['-', '_']);
        // The colour of danger, not the word.
        if word.starts_with("btn") || word.starts_with("bg-") || word.starts_with("badge") {
            continue;
        }
        if parts().any(|p| matches!(p, "success" | "info" | "ok" | "sent" | "confirmation")) {
            mild = true;
            continue;
        }
        let error = parts().any(|p| {
            matches!(p, "error" | "errors" | "errorlist" | "errornote" | "errormsg" | "errormessage" | "invalid" | "danger" | "err")
        }) || word.contains("not-valid");
        if error && !parts().any(|p| matches!(p, "no" | "free" | "hide" | "hidden")) {
            return Some(true);
        }
    }
    mild.then_some(false)
}
