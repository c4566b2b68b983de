//! HTML pages as answers: what selectors find, as JSON that paths can read.

use super::path::{Json, list, string};
use jmespath::Variable;
use scraper::{Html, Selector};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Elements that one selector may find; more are left out.
const MAX_ELEMENTS: usize = 1000;
/// The longest text of an element.
const MAX_TEXT: usize = 1000;

/// The lists that selectors find in a page: each element as its attributes and its `text`, white space folded.
pub(crate) fn elements(page: &str, select: &[(String, Selector)]) -> Json {
    let page = Html::parse_document(page);
    let one = |element: scraper::ElementRef<'_>| {
        let mut fields: BTreeMap<String, Json> = element.value().attrs().map(|(k, v)| (k.to_owned(), string(v))).collect();
        let mut text = String::new();
        for word in element.text().flat_map(str::split_whitespace) {
            if text.chars().count() + word.chars().count() > MAX_TEXT {
                break;
            }
            text = if text.is_empty() { word.to_owned() } else { format!("{text} {word}") };
        }
        fields.insert("text".to_owned(), string(text));
        Arc::new(Variable::Object(fields))
    };
    let found = |selector: &Selector| list(page.select(selector).take(MAX_ELEMENTS).map(one).collect());
    Arc::new(Variable::Object(select.iter().map(|(name, selector)| (name.clone(), found(selector))).collect()))
}

/// A page cut down to what selectors find, each with the tags around it: they find the same in it.
pub(crate) fn only(page: &str, select: &[(String, Selector)]) -> String {
    let page = Html::parse_document(page);
    let mut out = String::new();
    for (_, selector) in select {
        for element in page.select(selector).take(MAX_ELEMENTS) {
            let around: Vec<_> = element.ancestors().filter_map(scraper::ElementRef::wrap).collect();
            let inner = around.iter().filter(|e| !matches!(e.value().name(), "html" | "head" | "body"));
            let tags: Vec<String> = inner.map(|e| tag(e.value())).collect();
            let open: String = tags.iter().rev().cloned().collect();
            let close: String = around
                .iter()
                .map(|e| format!("</{}>", e.value().name()))
                .filter(|t| !["</html>", "</head>", "</body>"].contains(&t.as_str()))
                .collect();
            out.push_str(&format!("{open}{}{close}\n", element.html()));
        }
    }
    format!("<html><body>\n{out}</body></html>")
}

fn tag(element: &scraper::node::Element) -> String {
    let attributes: String = element.attrs().map(|(name, value)| format!(" {name}=\"{}\"", super::filter::escape_html(value))).collect();
    format!("<{}{attributes}>", element.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::path::Path;

    #[test]
    fn what_selectors_find_is_read_by_paths() {
        let page = "<form><select name=queue><option value=''>-<option value=\"2\" selected> Billing\n &amp; more</select><b text=x>y</b>";
        let select = vec![
            ("queues".to_owned(), Selector::parse("select[name=queue] option[value]").unwrap()),
            ("none".to_owned(), Selector::parse("p").unwrap()),
            ("b".to_owned(), Selector::parse("b").unwrap()),
        ];
        let found = elements(page, &select);
        let get = |path: &str| Path::parse(path).unwrap().eval(&found).unwrap().to_string();
        assert_eq!(get("queues[?value == '2'] | [0].text"), "\"Billing & more\"");
        assert_eq!(elements(&only(page, &select), &select), found, "{}", only(page, &select));
        assert_eq!((get("none"), get("b[0].text"), get("length(queues)")), ("[]".to_owned(), "\"y\"".to_owned(), "2".to_owned()));
    }

    #[test]
    fn a_page_of_nothing_but_elements_is_bounded() {
        let page = format!("{}{}", "<div>".repeat(20_000), "<i>word </i>".repeat(5_000));
        let select = vec![("all".to_owned(), Selector::parse("div, i").unwrap())];
        let found = elements(&page, &select);
        assert_eq!(found.get_field("all").as_array().unwrap().len(), MAX_ELEMENTS);
    }
}
