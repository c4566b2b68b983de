//! The file of people who may sign in to the status page by name and password.

use bcrypt::HashParts;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::str::FromStr;

/// The work factors that are taken: below, a stolen file is soon guessed; above, one sign-in takes seconds of a core.
const COST: std::ops::RangeInclusive<u32> = 8..=15;

/// The bcrypt hashes of passwords by name, from lines `NAME:HASH` as `htpasswd -B -C 10` writes them. Empty lines and those that
/// begin with `#` count for nothing.
///
/// # Errors
/// Which line is wrong, and how; never what stands in it, since it may be a password.
pub fn parse(text: &str) -> Result<BTreeMap<String, SecretString>, String> {
    let mut users = BTreeMap::new();
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    for (at, line) in lines {
        let wrong = |how: &str| format!("line {}: {how}", at + 1);
        let (name, hash) = line.split_once(':').ok_or_else(|| wrong("it is not NAME:HASH"))?;
        if !is_name(name) {
            return Err(wrong("a name has at most 64 of a-z, A-Z, 0-9 and `.@_-`"));
        }
        let parts = HashParts::from_str(hash).map_err(|_| wrong("the hash is not of bcrypt; `htpasswd -B -C 10` makes such"))?;
        if !COST.contains(&parts.get_cost()) {
            return Err(wrong(&format!(
                "the cost of the hash must be from {} to {} (htpasswd takes 5 unless told): `htpasswd -B -C 10`",
                COST.start(),
                COST.end()
            )));
        }
        if users.insert(name.to_owned(), hash.into()).is_some() {
            return Err(wrong("that name stands further above too"));
        }
    }
    if users.is_empty() { Err("nobody stands in it".to_owned()) } else { Ok(users) }
}

/// Such names can stand in a cookie and in a log line as they are.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b".@_-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$10$abcdefghijklmnopqrstuuHk0l3mXGHbMTzLnhr5c5mR5y0b8HqGW";

    #[test]
    fn a_file_of_htpasswd_is_read() {
        let users = parse(&format!("# on call\n\njane.doe:{HASH}\r\nkim@desk.test:{HASH}\n")).unwrap();
        assert_eq!(users.keys().collect::<Vec<_>>(), ["jane.doe", "kim@desk.test"]);
    }

    #[test]
    fn what_is_wrong_is_told_without_what_stands_there() {
        let cases = [
            ("", "nobody stands in it"),
            ("# nobody\n", "nobody stands in it"),
            ("jane hunter2", "line 1: it is not NAME:HASH"),
            ("\njane:hunter2", "line 2: the hash is not of bcrypt; `htpasswd -B -C 10` makes such"),
            (&format!("ja ne:{HASH}"), "line 1: a name has at most 64 of a-z, A-Z, 0-9 and `.@_-`"),
            (&format!("j:{HASH}\nj:{HASH}"), "line 2: that name stands further above too"),
            (
                &format!("j:{}", HASH.replace("$10$", "$04$")),
                "line 1: the cost of the hash must be from 8 to 15 (htpasswd takes 5 unless told): `htpasswd -B -C 10`",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap_err(), expected, "{text}");
        }
    }
}
