//! Whether a browser would show the widget's frame on the company's page: X-Frame-Options (RFC 7034) and the
//! directive frame-ancestors (Content Security Policy Level 3, section 6.4.2).

use reqwest::Url;
use reqwest::header::{CONTENT_SECURITY_POLICY, HeaderMap, X_FRAME_OPTIONS};

/// Why a browser refuses to show `frame` on `page`; none when it shows it. The reason quotes the header.
pub(crate) fn refused(headers: &HeaderMap, frame: &Url, page: &Url) -> Option<String> {
    let policies: Vec<&str> = headers.get_all(CONTENT_SECURITY_POLICY).iter().filter_map(|v| v.to_str().ok()).collect();
    // A header may hold several policies; each must allow it.
    let ancestors: Vec<&str> = policies.iter().flat_map(|p| p.split(',')).filter_map(ancestors).collect();
    if !ancestors.is_empty() {
        // Where frame-ancestors stands, X-Frame-Options does not count.
        let strict = ancestors.iter().find(|sources| !sources.split_whitespace().any(|s| allows(s, frame, page)))?;
        return Some(format!("its Content-Security-Policy says `frame-ancestors {}`", short(strict)));
    }
    for value in headers.get_all(X_FRAME_OPTIONS).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')) {
        let value = value.trim().to_ascii_lowercase();
        // ALLOW-FROM is obsolete: browsers of today pass over it, as over every other word.
        if value == "deny" || (value == "sameorigin" && frame.origin() != page.origin()) {
            return Some(format!("its X-Frame-Options says `{value}`"));
        }
    }
    None
}

fn ancestors(policy: &str) -> Option<&str> {
    policy.split(';').map(str::trim).find_map(|directive| {
        let (name, sources) = directive.split_once(char::is_whitespace).unwrap_or((directive, ""));
        name.eq_ignore_ascii_case("frame-ancestors").then_some(sources)
    })
}

fn short(text: &str) -> String {
    text.trim().chars().take(200).collect()
}

/// Whether a source expression matches the page (CSP Level 3 section 6.7.2.6).
fn allows(source: &str, frame: &Url, page: &Url) -> bool {
    match source.to_ascii_lowercase().as_str() {
        "*" => matches!(page.scheme(), "http" | "https") || page.scheme() == frame.scheme(),
        "'self'" => page.origin() == frame.origin(),
        "'none'" => false,
        scheme if scheme.ends_with(':') && !scheme.contains("//") => fits_scheme(scheme.trim_end_matches(':'), page),
        host => host_source(host, frame, page),
    }
}

/// A page by https is allowed where http is written.
fn fits_scheme(scheme: &str, page: &Url) -> bool {
    page.scheme() == scheme || (scheme == "http" && page.scheme() == "https")
}

fn host_source(source: &str, frame: &Url, page: &Url) -> bool {
    let (scheme, rest) = source.split_once("://").map_or((frame.scheme(), source), |(s, r)| (s, r));
    let rest = rest.split('/').next().unwrap_or_default();
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let name = page.host_str().unwrap_or_default().to_ascii_lowercase();
    let named = match host.strip_prefix("*.") {
        Some(domain) => name.strip_suffix(domain).is_some_and(|left| left.ends_with('.') && left.len() > 1),
        None => host == "*" || name == host,
    };
    let usual = |port: u16| matches!((page.scheme(), port), ("http", 80) | ("https", 443));
    let number = page.port_or_known_default().unwrap_or(0);
    let ported = match port {
        Some("*") => true,
        Some(port) => port.parse() == Ok(number) || (port == "80" && number == 443),
        None => usual(number),
    };
    fits_scheme(scheme, page) && named && ported
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(headers: &[(&str, &str)], page: &str) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(reqwest::header::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        refused(&map, &"https://chat.desk.test/widget".parse().unwrap(), &page.parse().unwrap())
    }

    #[test]
    fn a_page_is_refused_where_a_browser_would_refuse_it() {
        let (x, csp) = ("x-frame-options", "content-security-policy");
        for (headers, page, shown) in [
            (vec![], "https://shop.test/", true),
            (vec![(x, "DENY")], "https://chat.desk.test/", false),
            (vec![(x, "SAMEORIGIN")], "https://shop.test/", false),
            (vec![(x, "sameorigin")], "https://chat.desk.test/page", true),
            (vec![(x, "ALLOW-FROM https://else.test")], "https://shop.test/", true),
            (vec![(csp, "default-src 'none'")], "https://shop.test/", true),
            (vec![(csp, "frame-ancestors 'self'")], "https://shop.test/", false),
            (vec![(csp, "frame-ancestors 'none'")], "https://chat.desk.test/", false),
            (vec![(csp, "img-src *; Frame-Ancestors 'self' https://shop.test")], "https://shop.test/x", true),
            // The policy stands above the older header.
            (vec![(csp, "frame-ancestors https://shop.test"), (x, "DENY")], "https://shop.test/", true),
            (vec![(csp, "frame-ancestors *.shop.test")], "https://www.shop.test/", true),
            (vec![(csp, "frame-ancestors *.shop.test")], "https://shop.test/", false),
            (vec![(csp, "frame-ancestors https:")], "https://shop.test/", true),
            (vec![(csp, "frame-ancestors https:")], "http://shop.test/", false),
            (vec![(csp, "frame-ancestors http://shop.test:*")], "http://shop.test:8080/", true),
            (vec![(csp, "frame-ancestors http://shop.test")], "http://shop.test:8080/", false),
            (vec![(csp, "frame-ancestors *"), (csp, "frame-ancestors 'self'")], "https://shop.test/", false),
            (vec![(csp, "frame-ancestors")], "https://shop.test/", false),
        ] {
            assert_eq!(judged(&headers, page).is_none(), shown, "{headers:?} on {page}");
        }
    }
}
