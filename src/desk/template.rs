//! `${name|filter:arg}` inside strings: the only way in which values enter requests.
//!
//! A string that is exactly one template keeps the value's type. There are no conditions, loops or arithmetic.

use super::filter::Filter;
use super::path::{Json, Path, PathError};
use super::scope::{Scope, Value};

/// A string with templates, compiled.
#[derive(Debug, Clone)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Debug, Clone)]
pub enum Part {
    /// Literal text.
    Text(String),
    /// `${…}`.
    Expr(Expr),
}

/// One `${…}`.
#[derive(Debug, Clone)]
pub struct Expr {
    /// Where the value comes from.
    pub name: Name,
    /// What is done to it, in order.
    pub filters: Vec<Filter>,
    /// Bytes from the start of the template's text.
    pub at: usize,
    /// Bytes of `${…}`.
    pub length: usize,
}

/// Where a value comes from.
#[derive(Debug, Clone)]
pub enum Name {
    /// A variable of the operation, a value picked by a step (`step.name`), or a param.
    Var(String),
    /// A param, whatever variables there are: `params.name`.
    Param(String),
    /// A path into a step's answer: `step:path`.
    Step(String, Path),
    /// The element in hand: `item`, `item.path`.
    Item(String, Path),
}

impl Template {
    /// Compiles a template; names are checked by the caller, who knows what is in scope.
    pub fn parse(text: &str) -> Result<Template, PathError> {
        let mut parts = Vec::new();
        let mut rest = 0;
        while let Some(found) = text[rest..].find("${") {
            let at = rest + found;
            if at > rest {
                parts.push(Part::Text(text[rest..at].to_owned()));
            }
            let end = closing(text, at + 2).ok_or_else(|| fail(at, "this `${` is never closed", "close it with `}`"))?;
            parts.push(Part::Expr(expression(text, at, end)?));
            rest = end + 1;
        }
        if rest < text.len() {
            parts.push(Part::Text(text[rest..].to_owned()));
        }
        Ok(Template { text: text.to_owned(), parts })
    }

    /// The template as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The pieces.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The `${…}` in it.
    pub fn expressions(&self) -> impl Iterator<Item = &Expr> {
        self.parts.iter().filter_map(|p| match p {
            Part::Expr(e) => Some(e),
            Part::Text(_) => None,
        })
    }

    /// True when the leaf shall be left out of its table if it is empty.
    pub fn omits_empty(&self) -> bool {
        self.expressions().any(|e| e.filters.contains(&Filter::OmitEmpty))
    }

    /// The value, typed when the string is exactly one template; none when a part is missing.
    pub fn value(&self, scope: &Scope<'_>) -> Result<Option<Value>, String> {
        match self.parts.as_slice() {
            [Part::Expr(one)] => one.value(scope),
            _ => Ok(self.string(scope)?.map(Value::text)),
        }
    }

    /// The value as text; none when a part is missing.
    pub fn string(&self, scope: &Scope<'_>) -> Result<Option<String>, String> {
        self.joined(scope, |_, text| Ok(text))
    }

    /// The value as text with `encode` applied to each `${…}` and its index among the parts.
    pub fn joined(&self, scope: &Scope<'_>, encode: impl Fn(usize, String) -> Result<String, String>) -> Result<Option<String>, String> {
        let mut out = String::new();
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Expr(e) => match e.value(scope)? {
                    None => return Ok(None),
                    Some(value) => out.push_str(&encode(index, value.to_text().map_err(|m| format!("`${{{}}}` {m}", e.shown()))?)?),
                },
            }
        }
        Ok(Some(out))
    }
}

impl Expr {
    fn value(&self, scope: &Scope<'_>) -> Result<Option<Value>, String> {
        let mut value = match &self.name {
            Name::Var(name) => scope.var(name),
            Name::Param(name) => scope.param(name),
            Name::Step(step, path) => scope.step(step, path)?,
            Name::Item(name, path) => scope.item(name, path)?,
        };
        for filter in &self.filters {
            value = filter.apply(value, scope).map_err(|m| format!("`${{{}}}` {m}", self.shown()))?;
        }
        Ok(value)
    }

    /// The name for messages; never a value.
    pub fn shown(&self) -> String {
        match &self.name {
            Name::Var(n) => n.clone(),
            Name::Param(n) => format!("params.{n}"),
            Name::Step(s, p) => format!("{s}:{}", p.text()),
            Name::Item(n, _) => n.clone(),
        }
    }
}

fn fail(offset: usize, message: impl Into<String>, help: &str) -> PathError {
    PathError { offset, message: message.into(), help: (!help.is_empty()).then(|| help.to_owned()) }
}

/// The index of the `}` that closes an expression begun before `from`; quotes and nested braces are skipped.
fn closing(text: &str, from: usize) -> Option<usize> {
    let mut quote: Option<char> = None;
    for (i, c) in text[from..].char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '}') => return Some(from + i),
            (None, _) => {}
        }
    }
    None
}

/// Cuts `text` at each `separator` outside quotes and brackets for which `cut` (given what follows) holds.
fn split(text: &str, separator: char, cut: impl Fn(&str) -> bool) -> Vec<(usize, &str)> {
    let (mut pieces, mut start, mut depth) = (Vec::new(), 0, 0_i32);
    let mut quote: Option<char> = None;
    for (i, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => depth -= 1,
            (None, c) if c == separator && depth == 0 && cut(&text[i + 1..]) && !text[..i].ends_with('|') => {
                pieces.push((start, &text[start..i]));
                start = i + 1;
            }
            _ => {}
        }
    }
    pieces.push((start, &text[start..]));
    pieces
}

fn expression(text: &str, at: usize, end: usize) -> Result<Expr, PathError> {
    let inner_at = at + 2;
    let inner = &text[inner_at..end];
    // `| [0]` and `| @` belong to a path, `|name` is a filter, `||` is a path's "or".
    let pieces = split(inner, '|', |next| next.trim_start().starts_with(|c: char| c.is_ascii_alphabetic()));
    let (_, first) = pieces[0];
    let name = name(first.trim(), inner_at + (first.len() - first.trim_start().len()))?;
    let mut filters = Vec::new();
    for (offset, piece) in &pieces[1..] {
        let at = inner_at + offset;
        filters.push(Filter::parse(piece.trim()).map_err(|(m, help)| PathError { offset: at, message: m, help })?);
    }
    Ok(Expr { name, filters, at, length: end + 1 - at })
}

fn identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Splits `step:path`; none when there is no step in front.
pub fn step_prefix(text: &str) -> Option<(&str, &str)> {
    let (step, path) = text.split_once(':')?;
    identifier(step).then_some((step, path))
}

fn name(text: &str, at: usize) -> Result<Name, PathError> {
    if text.is_empty() {
        return Err(fail(at, "this template names nothing", "write `${name}`"));
    }
    if let Some((step, path)) = step_prefix(text) {
        let compiled = Path::parse(path).map_err(|e| PathError { offset: at + step.len() + 1 + e.offset, ..e })?;
        return Ok(Name::Step(step.to_owned(), compiled));
    }
    if text == "item" || text.starts_with("item.") || text.starts_with("item[") {
        let path = text[4..].strip_prefix('.').unwrap_or(&text[4..]);
        let compiled = Path::parse(if path.is_empty() { "@" } else { path }).map_err(|e| PathError { offset: at + 5 + e.offset, ..e })?;
        return Ok(Name::Item(text.to_owned(), compiled));
    }
    if let Some(param) = text.strip_prefix("params.") {
        return Ok(Name::Param(param.to_owned()));
    }
    if text.split('.').all(identifier) {
        return Ok(Name::Var(text.to_owned()));
    }
    Err(fail(at, format!("`{text}` is no name"), "names are `word`, `word.word`, `step:path`, `item.path` or `params.name`"))
}

/// A value of an answer, as a template's value; null is missing.
pub fn from_json(value: Json) -> Option<Value> {
    if value.is_null() { None } else { Some(Value::Json(value)) }
}

#[cfg(test)]
mod tests {
    use super::super::path::json;
    use super::*;

    fn scope() -> Scope<'static> {
        let mut scope = Scope::default();
        scope.set("token", Value::text("rp'a%_b"));
        scope.set("id", Value::Json(json("12").unwrap()));
        scope.set_step("t", json(r#"{"Queue":{"id":"1"},"l":[{"T":"a","D":"x"},{"T":"b","D":"y"}]}"#).unwrap());
        scope
    }

    fn text(template: &str) -> String {
        Template::parse(template).unwrap().string(&scope()).unwrap().unwrap()
    }

    #[test]
    fn values_enter_text_only_through_their_filters() {
        assert_eq!(text("Subject LIKE ${token|ticketsql}"), r"Subject LIKE 'rp\'a%_b'");
        assert_eq!(text("/q/${t:Queue.id}"), "/q/1");
        assert_eq!(text("${t:l[?T == 'b'].D | [0]|upper}"), "Y");
        assert_eq!(text("${t:nope || Queue.id|lower}!"), "1!");
        assert_eq!(text("${gone|default:'no: |one'}"), "no: |one");
    }

    #[test]
    fn exactly_one_template_keeps_its_type_and_a_missing_part_makes_the_whole_missing() {
        let one = Template::parse("${id}").unwrap().value(&scope()).unwrap().unwrap();
        assert!(matches!(one, Value::Json(j) if j.is_number()));
        let two = Template::parse("${id} ").unwrap().value(&scope()).unwrap().unwrap();
        assert!(matches!(two, Value::Json(j) if j.is_string()));
        assert!(Template::parse("a ${gone} b").unwrap().value(&scope()).unwrap().is_none());
    }

    #[test]
    fn faulty_templates_point_at_the_fault() {
        for (template, offset, word) in [
            ("ab ${x", 3, "never closed"),
            ("${}", 2, "names nothing"),
            ("${a|nofilter}", 4, "no filter `nofilter`"),
            ("x ${t:a[0:1]}", 7, "slices"),
            ("${a b}", 2, "is no name"),
        ] {
            let error = Template::parse(template).unwrap_err();
            assert!(error.message.contains(word), "{template}: {}", error.message);
            assert!(error.offset >= offset && error.offset <= offset + 5, "{template}: {}", error.offset);
        }
    }
}
