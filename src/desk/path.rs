//! Paths into JSON: the JMESPath subset that desk files may use.
//!
//! Grammar and meaning are those of <https://jmespath.org/specification.html>; what the subset leaves out is
//! refused when the file is read, so a desk file holds no unbounded or surprising programs.

use jmespath::ast::{Ast, Comparator};
use jmespath::{Context, DEFAULT_RUNTIME, Rcvar, Variable};
use std::sync::Arc;

/// A JSON value as paths read it: cheap to share.
pub type Json = Rcvar;

/// Longest path; also bounds how deep the parser may descend.
const MAX_LENGTH: usize = 500;
/// Functions that a path may call.
pub const FUNCTIONS: [&str; 3] = ["contains", "length", "join"];

/// A compiled path.
#[derive(Debug, Clone)]
pub struct Path {
    text: String,
    ast: Ast,
}

/// Why a path is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathError {
    /// Bytes from the start of the path.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Path {
    /// Compiles a path and refuses what the subset does not have.
    pub fn parse(text: &str) -> Result<Path, PathError> {
        if text.trim().is_empty() {
            return Err(error(0, "this path is empty", Some("write \"@\" for the whole answer")));
        }
        if text.len() > MAX_LENGTH {
            return Err(error(0, "this path is longer than 500 characters", None));
        }
        let ast = jmespath::parse(text).map_err(|e| {
            let reason = e.reason.to_string().replace("Parse error: ", "");
            let reason = reason.split(" -- ").next().unwrap_or_default().trim().to_owned();
            error(
                byte_offset(text, e.offset),
                format!("this path cannot be read: {reason}"),
                Some("for instance a.b, a[0].c or a[?kind == 'x'].d"),
            )
        })?;
        check(&ast)?;
        Ok(Path { text: text.to_owned(), ast })
    }

    /// The path to one field.
    pub fn field(name: &str) -> Path {
        Path { text: name.to_owned(), ast: Ast::Field { offset: 0, name: name.to_owned() } }
    }

    /// The path as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Follows the path. Absent and null are both `Null`; the error is a wrong type in a function.
    pub fn eval(&self, data: &Json) -> Result<Json, String> {
        let mut context = Context::new(&self.text, &DEFAULT_RUNTIME);
        jmespath::interpret(data, &self.ast, &mut context)
            .map_err(|e| format!("{}, in the path `{}`", e.reason.to_string().replace("Runtime error: ", ""), self.text))
    }

    /// Follows the path and says whether the result counts as true (JMESPath truth).
    pub fn holds(&self, data: &Json) -> Result<bool, String> {
        Ok(self.eval(data)?.is_truthy())
    }
}

fn error(offset: usize, message: impl Into<String>, help: Option<&str>) -> PathError {
    PathError { offset, message: message.into(), help: help.map(str::to_owned) }
}

/// The parser counts characters; a file is shown by bytes.
fn byte_offset(text: &str, chars: usize) -> usize {
    text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at)
}

fn check(ast: &Ast) -> Result<(), PathError> {
    match ast {
        Ast::Identity { .. } | Ast::Literal { .. } => Ok(()),
        Ast::Field { offset, name } if name == "string" || name == "int" => {
            // `a.b | string` would silently mean "the field string of a.b".
            Err(error(*offset, format!("`{name}` is no field name"), Some("ids become text and sizes numbers by themselves: leave it out")))
        }
        Ast::Field { .. } => Ok(()),
        Ast::Index { offset, idx } if idx.unsigned_abs() > 10_000 => Err(error(*offset, "this index is out of reach", None)),
        Ast::Index { .. } => Ok(()),
        Ast::Comparison { offset, comparator, lhs, rhs } => match comparator {
            Comparator::Equal | Comparator::NotEqual => check(lhs).and_then(|()| check(rhs)),
            _ => Err(error(*offset, "paths compare with == and != only", Some("let the desk choose by its query"))),
        },
        Ast::Condition { predicate: a, then: b, .. }
        | Ast::Projection { lhs: a, rhs: b, .. }
        | Ast::And { lhs: a, rhs: b, .. }
        | Ast::Or { lhs: a, rhs: b, .. }
        | Ast::Subexpr { lhs: a, rhs: b, .. } => check(a).and_then(|()| check(b)),
        Ast::Not { node, .. } | Ast::ObjectValues { node, .. } => check(node),
        Ast::Function { offset, name, args } => {
            if !FUNCTIONS.contains(&name.as_str()) {
                return Err(error(*offset, format!("paths have no function `{name}`"), Some("there are contains, length and join")));
            }
            args.iter().try_for_each(check)
        }
        Ast::Flatten { offset, .. } => Err(error(*offset, "paths have no flattening `[]`", Some("`[*]` goes through a list"))),
        Ast::Slice { offset, .. } => Err(error(*offset, "paths have no slices", None)),
        Ast::MultiList { offset, .. } => Err(error(*offset, "paths do not build lists", None)),
        Ast::MultiHash { offset, .. } => Err(error(*offset, "paths do not build objects", None)),
        Ast::Expref { offset, .. } => Err(error(*offset, "paths have no expression references `&`", None)),
    }
}

/// Reads JSON text.
pub fn json(text: &str) -> Result<Json, String> {
    serde_json::from_str::<Variable>(text).map(Arc::new).map_err(|e| e.to_string())
}

/// JSON null.
pub fn null() -> Json {
    Arc::new(Variable::Null)
}

/// A JSON string.
pub fn string(text: impl Into<String>) -> Json {
    Arc::new(Variable::String(text.into()))
}

/// A JSON list.
pub fn list(items: Vec<Json>) -> Json {
    Arc::new(Variable::Array(items))
}

/// A scalar as text: numbers without a needless `.0`, booleans as words; none for null, lists and objects.
pub fn scalar(value: &Json) -> Option<String> {
    match &**value {
        Variable::String(s) => Some(s.clone()),
        Variable::Bool(b) => Some(b.to_string()),
        Variable::Number(n) => match n.as_f64() {
            Some(f) if n.is_f64() && f.fract() == 0.0 && f.abs() < 9e15 => Some(format!("{f:.0}")),
            _ => Some(n.to_string()),
        },
        _ => None,
    }
}

/// The value for building request bodies.
pub fn to_serde(value: &Json) -> serde_json::Value {
    serde_json::to_value(&**value).unwrap_or(serde_json::Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str, data: &str) -> String {
        Path::parse(path).unwrap().eval(&json(data).unwrap()).unwrap().to_string()
    }

    #[test]
    fn the_subset_reads_what_the_contracts_need() {
        let data = r#"{"a":{"b":[{"c":1,"n":"x"},{"c":2,"n":"yz"}]},"q-r":7,"m":{"k":{"v":1}},"l":["p","q"]}"#;
        assert_eq!(get("a.b[1].c", data), "2");
        assert_eq!(get("a.b[-1].n", data), "\"yz\"");
        assert_eq!(get("a.b[*].c", data), "[1,2]");
        assert_eq!(get("a.b[?n == 'x'] | [0].c", data), "1");
        assert_eq!(get("a.b[?contains(n, 'z') && c != `1`].c", data), "[2]");
        assert_eq!(get("a.b[?!d].c", data), "[1,2]");
        assert_eq!(get("\"q-r\"", data), "7");
        assert_eq!(get("m.*.v", data), "[1]");
        assert_eq!(get("nope || join('; ', l)", data), "\"p; q\"");
        assert_eq!(get("length(l)", data), "2");
    }

    #[test]
    fn absent_and_null_are_one_and_a_path_through_them_is_null() {
        assert_eq!(get("a.b.c", r#"{"a":null}"#), "null");
        assert_eq!(get("items[*].x", "{}"), "null");
        assert_eq!(get("items[?x]", "{}"), "null");
        assert!(Path::parse("length(users)").unwrap().eval(&json("{}").unwrap()).is_err());
    }

    #[test]
    fn what_the_subset_leaves_out_is_refused_where_it_stands() {
        for (path, word) in [
            ("a[0:2]", "slices"),
            ("a[].b", "flattening"),
            ("[a, b]", "build lists"),
            ("{x: a}", "build objects"),
            ("sort_by(a, &b)", "no function `sort_by`"),
            ("a[?b > `1`]", "== and !="),
            ("id|string", "no field name"),
            ("a[-2147483647]", "out of reach"),
            ("a.", "cannot be read"),
            ("", "empty"),
        ] {
            let error = Path::parse(path).unwrap_err();
            assert!(error.message.contains(word), "{path}: {}", error.message);
        }
        assert_eq!(Path::parse("abc.def || sort(x)").unwrap_err().offset, 15);
    }

    #[test]
    fn ids_are_text_whatever_the_desk_sends() {
        for (sent, text) in [("12", "12"), ("12.0", "12"), ("\"SB-1\"", "SB-1"), ("9007199254740993", "9007199254740993")] {
            assert_eq!(scalar(&json(sent).unwrap()).unwrap(), text);
        }
        assert_eq!(scalar(&json("[1]").unwrap()), None);
    }
}
