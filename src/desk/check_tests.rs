//! The checker: what it says, where it points, and that it says everything at once.

use super::testing::definition;
use super::{Definition, built_in};
use crate::config::ParamValue;
use crate::model::{Capability, View};
use crate::problem::Problem;
use secrecy::SecretString;
use std::collections::BTreeMap;

fn problems(text: &str) -> Vec<Problem> {
    Definition::parse("desks/mine.toml", text).err().unwrap_or_default()
}

/// The text that a problem points at, its message and its help.
fn shown(text: &str, problem: &Problem) -> (String, String, String) {
    let at = problem.span.clone().map(|s| text[s].to_owned()).unwrap_or_default();
    (at, problem.message.clone(), problem.help.clone().unwrap_or_default())
}

#[test]
fn the_definition_of_the_tests_has_no_problem_and_names_what_it_can() {
    let found = Definition::parse("x", &definition("")).unwrap();
    assert_eq!(found.capabilities(), [Capability::Find, Capability::Read, Capability::Reply, Capability::Close, Capability::Health]);
    assert_eq!(found.views(), [View::Normal]);
    let rt = Definition::parse("rt", built_in()[1].1).unwrap();
    assert!(rt.capabilities().contains(&Capability::Files) && !rt.capabilities().contains(&Capability::Mark));
    assert_eq!(rt.normal_includes(), [View::Closed]);
}

#[test]
fn each_fault_is_shown_where_it_stands_with_what_would_be_right() {
    // What to replace, with what, the text pointed at, a piece of the message, a piece of the help.
    let cases = [
        ("rows = \"items\"", "row = \"items\"\n  rows = \"items\"", "row", "has no key `row`", "did you mean `rows`?"),
        ("rows = \"items\"", "rows = \"items[0:2]\"", "]", "no slices", ""),
        ("rows = \"items\"", "rows = \"sort(items)\"", "(items)", "no function `sort`", "contains, length and join"),
        ("get = \"/tickets\"", "get = \"/tickets/${tokn}\"", "${tokn}", "nothing here is called `tokn`", "did you mean `token`?"),
        ("get = \"/tickets\"", "get = \"/tickets/${id}\"", "${id}", "nothing here is called `id`", ""),
        ("get = \"/tickets\"", "get = \"tickets\"", "\"tickets\"", "a path below `base`", "begin with `/`"),
        ("get = \"/tickets\"", "get = \"/tickets?x=1\"", "\"/tickets?x=1\"", "holds a query", "under `query`"),
        ("get = \"/tickets\"", "get = \"/a\"\n  post = \"/b\"", "post", "makes one call", ""),
        ("query = { q = \"${token}\" }", "query = { q = \"subject:${token}\" }", "${token}", "unquoted", "${token|phrase}"),
        (
            "query = { q = \"${token}\" }",
            "language = { q = \"jql\" }\n  query = { q = \"${token|upper}\" }",
            "${token|upper}",
            "enters a query in jql unquoted",
            "${token|jql}",
        ),
        ("query = { q = \"${token}\" }", "language = { q = \"jqk\" }\n  query = { q = \"a\" }", "\"jqk\"", "no language `jqk`", "`jql`"),
        ("query = { q = \"${token}\" }", "query = { q = \"${token|ticketsq}\" }", "ticketsq}", "no filter `ticketsq`", "`ticketsql`"),
        ("query = { q = \"${token}\" }", "query = { q = \"${token\" }", "${token", "never closed", ""),
        ("max = 2", "max = 0", "0", "must be between 1 and 100", ""),
        (", max = 2", "", "{ next_url = \"next\" }", "needs `max`", "max = 3"),
        ("contains = \"${token}\", ", "", "{ field = \"subject\", created = \"created\" }", "belong together", ""),
        ("from = \"t:status\"", "from = \"x:status\"", "x", "no step `x`", ""),
        ("\"2\" = \"closed\"", "\"2\" = \"close\"", "\"close\"", "none of the values", "did you mean `closed`?"),
        ("time = \"epoch_s\"", "time = \"epoch\"", "\"epoch\"", "no kind of time", "`epoch_s`"),
        ("time = \"epoch_s\"", "time = \"naive:Mars/Base\"", "\"naive:Mars/Base\"", "no time zone", ""),
        ("requester = \"t:from\"", "", "reply", "must map the requester", "its own customer"),
        ("kind = \"bearer\"", "kind = \"oauth2\"", "kind", "reserved, not in this release", ""),
        ("kind = \"bearer\"", "kind = \"baerer\"", "kind", "no kind `baerer`", "`bearer`"),
        ("token = \"${key}\"", "token = \"${kay}\"", "${kay}", "nothing here is called `kay`", "did you mean `key`?"),
        ("format = 1", "format = 2", "2", "format 1 only", "format = 1"),
        ("hosts = [\"host(${url})\"]", "", "[desk]", "needs `hosts`", "may get the credentials"),
        ("key = { required = true, secret = true }", "key = { secret = true, default = \"x\" }", "default", "a secret has no default", ""),
        ("kind = \"url\"", "kind = \"uri\"", "\"uri\"", "no kind `uri`", "`url`"),
        ("[health]", "[upload]\n[health]", "upload", "reserved, not in this release", ""),
        ("[health]", "[visitor_view]\n[health]", "visitor_view", "reserved, not in this release", ""),
        ("[health]", "[helth]\n[health]", "helth", "has no key `helth`", "did you mean `health`?"),
        ("read = \"status\"", "read = \"state\"", "read", "cannot be verified", "status"),
        ("[[find]]\n", "[[find]]\nview = \"junk\"\n", "\"junk\"", "no view `junk`", "suspended"),
        ("throttled = { status = [429]", "throttled = { status = [42]", "42", "between 100 and 599", ""),
        ("{ text = \"${reply.text}\" }", "{ \"$each\" = \"files\" }", "{ \"$each\" = \"files\" }", "needs `$as`", ""),
        (
            "{ text = \"${reply.text}\" }",
            "{ a = { \"$each\" = \"files\", \"$as\" = \"${item.nme}\" } }",
            "${item.nme}",
            "a file has no `nme`",
            "name, type, bytes, size",
        ),
        ("{ text = \"${reply.text}\" }", "{ text = \"${item.name}\" }", "${item.name}", "no `item` here", "each"),
    ];
    for (from, to, at, message, help) in cases {
        let good = definition("");
        assert!(good.contains(from), "{from}");
        let text = good.replacen(from, to, 1);
        let found = problems(&text);
        let all: Vec<_> = found.iter().map(|p| shown(&text, p)).collect();
        assert_eq!(all.len(), 1, "{to}: {all:?}");
        let (pointed, said, helped) = &all[0];
        assert!(pointed == at && said.contains(message) && helped.contains(help), "{to}: {all:?}");
        assert_eq!(found[0].file, "desks/mine.toml");
    }
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_file() {
    let text = definition("")
        .replacen("format = 1", "format = 3", 1)
        .replacen("rows = \"items\"", "rows = \"a[]\"", 1)
        .replacen("${reply.text}", "${reply.txt}", 1)
        .replacen("[health]", "[discover]\n[health]", 1);
    let found: Vec<String> = problems(&text).iter().map(|p| shown(&text, p).0).collect();
    assert_eq!(found, ["3", "[]", "${reply.txt}", "discover"]);
}

#[test]
fn text_that_is_no_toml_and_files_without_the_least_are_refused() {
    let broken = problems("[desk\nformat = 1");
    assert!(!broken.is_empty() && broken[0].span.is_some());
    let empty: Vec<String> = problems("").iter().map(|p| p.message.clone()).collect();
    assert!(empty.iter().any(|m| m.contains("no [desk]")), "{empty:?}");
    let bare: Vec<String> = problems("[desk]\nformat = 1\nid = \"x\"\nbase = \"https://x.test\"\nhosts = [\"x.test\"]")
        .iter()
        .map(|p| p.message.clone())
        .collect();
    assert_eq!(bare, ["this desk file has no [[find]]", "this desk file has no [read]"]);
}

fn given(pairs: &[(&str, ParamValue)]) -> BTreeMap<String, ParamValue> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect()
}

fn plain(text: &str) -> ParamValue {
    ParamValue::Plain(toml::Value::String(text.to_owned()))
}

#[test]
fn values_for_params_are_checked_without_being_shown() {
    let rt = Definition::parse("rt", built_in()[1].1).unwrap();
    let secret = |s: &str| ParamValue::Secret(SecretString::from(s));
    let url = || ("url", plain("https://rt.example.org/"));
    assert_eq!(rt.check_params(&given(&[url(), ("token", secret("1-2-3"))])), []);
    assert_eq!(rt.check_params(&given(&[url(), ("user", plain("me")), ("password", secret("pw"))])), []);
    for (values, param, message) in [
        (given(&[("token", secret("1-2-3"))]), "url", "needs `url`"),
        (given(&[url()]), "", "cannot sign in: give `token` or `user`"),
        (given(&[url(), ("user", plain("me"))]), "password", "`password` is needed"),
        (given(&[url(), ("tokn", secret("hush-hush"))]), "tokn", "did you mean `token`?"),
        (given(&[("url", plain("rt.example.org")), ("token", secret("1-2-3"))]), "url", "must be a URL"),
        (given(&[("url", plain("ftp://rt.example.org")), ("token", secret("1-2-3"))]), "url", "http or https"),
        (given(&[("url", plain("https://me:pw@rt.example.org")), ("token", secret("1"))]), "url", "user or password"),
        (given(&[("url", ParamValue::Plain(toml::Value::Integer(3))), ("token", secret("1"))]), "url", "http or https URL"),
    ] {
        let found = rt.check_params(&values);
        assert!(found.len() == 1 && found[0].0 == param && found[0].1.contains(message), "{found:?}");
        assert!(!found[0].1.contains("hush"), "{found:?}");
    }
}

#[test]
fn a_param_called_like_a_variable_is_reached_by_its_full_name_only() {
    // `token` in a search is the run's token, not the desk's: a secret must not end in a query by its name.
    let text = definition("").replace("key =", "token =").replace("${key}", "${token}");
    assert_eq!(problems(&text), []);
    let text = definition("").replacen("q = \"${token}\"", "q = \"${params.kee}\"", 1);
    let found = problems(&text);
    assert_eq!(shown(&text, &found[0]), ("${params.kee}".into(), "there is no param `kee`".into(), "did you mean `params.key`?".into()));
}
