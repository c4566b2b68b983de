//! Cookies of one visitor (RFC 6265), bounded, and to be stored with what else makes the visitor the visitor.
//!
//! A cookie goes back to the host that set it and to no other, whatever its Domain says: that is all a desk needs.

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};
use serde::{Deserialize, Serialize};
use std::sync::Mutex;

/// As many as a browser has to keep for a host (RFC 6265 section 6.1).
const MOST: usize = 50;
/// The longest name and value together (RFC 6265 section 6.1).
const LONGEST: usize = 4096;

/// The cookies of one visitor.
#[derive(Default)]
pub(crate) struct Jar(Mutex<Vec<Cookie>>);

/// One cookie.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cookie {
    host: String,
    path: String,
    name: String,
    value: String,
    secure: bool,
}

impl std::fmt::Debug for Jar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Jar(***)")
    }
}

impl Jar {
    /// A jar with the cookies of an earlier time.
    pub fn of(cookies: Vec<Cookie>) -> Jar {
        Jar(Mutex::new(cookies))
    }

    /// The cookies, to be stored encrypted.
    pub fn cookies(&self) -> Vec<Cookie> {
        self.all().clone()
    }

    /// Their values: what must never be shown.
    pub fn secrets(&self) -> Vec<String> {
        self.all().iter().map(|c| c.value.clone()).collect()
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Cookie>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// The Cookie header for a URL; the longest path first (RFC 6265 section 5.4).
    pub fn header(&self, url: &Url) -> Option<HeaderValue> {
        let host = url.host_str()?.to_ascii_lowercase();
        let all = self.all();
        let fits = |c: &&Cookie| c.host == host && matches(&c.path, url.path()) && (!c.secure || url.scheme() == "https");
        let mut found: Vec<&Cookie> = all.iter().filter(fits).collect();
        found.sort_by_key(|c| std::cmp::Reverse(c.path.len()));
        let text: Vec<String> = found.iter().map(|c| format!("{}={}", c.name, c.value)).collect();
        let mut value = HeaderValue::from_str(&text.join("; ")).ok().filter(|_| !text.is_empty())?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Keeps what an answer sets and forgets what it takes back.
    pub fn take(&self, url: &Url, headers: &HeaderMap) {
        let Some(host) = url.host_str().map(str::to_ascii_lowercase) else { return };
        for header in headers.get_all(SET_COOKIE).iter().filter_map(|v| v.to_str().ok()) {
            let Some((cookie, gone)) = parsed(header, &host, url.path()) else { continue };
            let mut all = self.all();
            all.retain(|c| (&c.host, &c.path, &c.name) != (&cookie.host, &cookie.path, &cookie.name));
            if !gone {
                if all.len() >= MOST {
                    all.remove(0);
                }
                all.push(cookie);
            }
        }
    }
}

/// A Set-Cookie header (RFC 6265 section 5.2); true when it takes the cookie back.
fn parsed(header: &str, host: &str, path: &str) -> Option<(Cookie, bool)> {
    let mut parts = header.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() || name.len() + value.len() > LONGEST {
        return None;
    }
    let folder = path.rsplit_once('/').map_or("/", |(folder, _)| if folder.is_empty() { "/" } else { folder });
    let mut cookie =
        Cookie { host: host.to_owned(), path: folder.to_owned(), name: name.to_owned(), value: value.to_owned(), secure: false };
    let (mut age, mut expired) = (None, false);
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match (key.trim().to_ascii_lowercase().as_str(), value.trim()) {
            ("path", path) if path.starts_with('/') => path.clone_into(&mut cookie.path),
            ("secure", _) => cookie.secure = true,
            ("max-age", seconds) => age = seconds.parse::<i64>().ok(),
            ("expires", date) => {
                expired = jiff::fmt::rfc2822::parse(date).is_ok_and(|at| at.timestamp() < jiff::Timestamp::now());
            }
            _ => {}
        }
    }
    // Max-Age has the last word (RFC 6265 section 5.3).
    let gone = age.map_or(expired, |seconds| seconds <= 0);
    Some((cookie, gone))
}

/// Whether a cookie of `cookie` goes with a request to `path` (RFC 6265 section 5.1.4).
fn matches(cookie: &str, path: &str) -> bool {
    path == cookie || path.strip_prefix(cookie).is_some_and(|rest| cookie.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(url: &str, headers: &[&str]) -> Jar {
        let jar = Jar::default();
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(SET_COOKIE, header.parse().unwrap());
        }
        jar.take(&url.parse().unwrap(), &map);
        jar
    }

    fn sent(jar: &Jar, url: &str) -> String {
        jar.header(&url.parse().unwrap()).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    #[test]
    fn a_cookie_goes_back_to_its_host_and_path_alone() {
        let jar = jar("http://a.test/chat/start", &["s=1; HttpOnly", "deep=2; Path=/chat/deep", "t=3; Secure; Path=/", "odd", "=x"]);
        assert_eq!(sent(&jar, "http://a.test/chat/deep/x"), "deep=2; s=1");
        assert_eq!(sent(&jar, "https://a.test/"), "t=3");
        assert_eq!(sent(&jar, "http://a.test/chatter"), "");
        assert_eq!(sent(&jar, "http://b.test/chat/deep"), "");
        assert_eq!(format!("{jar:?}"), "Jar(***)");
    }

    #[test]
    fn a_later_one_replaces_it_and_an_old_date_takes_it_back() {
        let set =
            ["s=1; Path=/", "s=2; Path=/", "u=1; Path=/", "u=; Path=/; Max-Age=0", "v=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"];
        assert_eq!(sent(&jar("http://a.test/", &set), "http://a.test/"), "s=2");
        let many: Vec<String> = (0..200).map(|n| format!("c{n}=1; Path=/")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(jar("http://a.test/", &many).cookies().len(), MOST);
    }
}
