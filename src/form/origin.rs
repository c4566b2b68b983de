//! What a browser says of where a request comes from: `Referer`, `Origin` and `Sec-Fetch-Site`.
//!
//! Referrer policies: W3C "Referrer Policy", section 3; the `Origin` of a navigation: Fetch standard, "append a request
//! `Origin` header".

use reqwest::Url;

/// How much of its address a page lets its requests tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Policy {
    NoReferrer,
    WhenNoDowngrade,
    SameOrigin,
    Origin,
    StrictOrigin,
    OriginWhenCrossOrigin,
    #[default]
    StrictOriginWhenCrossOrigin,
    UnsafeUrl,
}

impl Policy {
    /// The last policy of a list that is known; none when none is.
    pub fn read(list: &str) -> Option<Policy> {
        list.rsplit(',').find_map(|word| {
            Some(match word.trim().to_ascii_lowercase().as_str() {
                "no-referrer" | "never" => Policy::NoReferrer,
                "no-referrer-when-downgrade" => Policy::WhenNoDowngrade,
                "same-origin" => Policy::SameOrigin,
                "origin" => Policy::Origin,
                "strict-origin" => Policy::StrictOrigin,
                "origin-when-cross-origin" | "origin-when-crossorigin" => Policy::OriginWhenCrossOrigin,
                "strict-origin-when-cross-origin" | "default" => Policy::StrictOriginWhenCrossOrigin,
                "unsafe-url" | "always" => Policy::UnsafeUrl,
                _ => return None,
            })
        })
    }

    /// The `Referer` of a request that the page `from` makes.
    pub fn referer(self, from: &Url, to: &Url) -> Option<String> {
        let same = same_origin(from, to);
        let downgrade = from.scheme() == "https" && to.scheme() != "https";
        let whole = || {
            let mut url = from.clone();
            url.set_fragment(None);
            // Credentials in an address are never told. Only addresses that cannot have any refuse.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            Some(url.to_string())
        };
        let short = || Some(format!("{}/", from.origin().ascii_serialization()));
        match self {
            Policy::NoReferrer => None,
            Policy::WhenNoDowngrade | Policy::StrictOrigin | Policy::StrictOriginWhenCrossOrigin if downgrade => None,
            Policy::WhenNoDowngrade | Policy::UnsafeUrl => whole(),
            Policy::SameOrigin if !same => None,
            Policy::SameOrigin => whole(),
            Policy::Origin | Policy::StrictOrigin => short(),
            Policy::OriginWhenCrossOrigin | Policy::StrictOriginWhenCrossOrigin => {
                if same {
                    whole()
                } else {
                    short()
                }
            }
        }
    }

    /// The `Origin` of a submission that is not a GET.
    pub fn origin(self, from: &Url, to: &Url) -> String {
        let downgrade = from.scheme() == "https" && to.scheme() != "https";
        let hidden = match self {
            Policy::NoReferrer => true,
            Policy::WhenNoDowngrade | Policy::StrictOrigin | Policy::StrictOriginWhenCrossOrigin => downgrade,
            Policy::SameOrigin => !same_origin(from, to),
            _ => false,
        };
        if hidden { "null".to_owned() } else { from.origin().ascii_serialization() }
    }
}

/// Scheme, host and port are the same.
pub(super) fn same_origin(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin()
}

/// The value of `Sec-Fetch-Site`. Sites are told apart by the last two names of their host, which is right for all but
/// a few suffixes.
pub(super) fn site(from: Option<&Url>, to: &Url) -> &'static str {
    let Some(from) = from else { return "none" };
    if same_origin(from, to) {
        return "same-origin";
    }
    let tail = |url: &Url| -> Option<String> {
        let host = url.host_str()?;
        if host.parse::<std::net::IpAddr>().is_ok() || host.starts_with('[') {
            return Some(host.to_owned());
        }
        let names: Vec<&str> = host.rsplitn(3, '.').take(2).collect();
        Some(names.join("."))
    };
    if from.scheme() == to.scheme() && tail(from) == tail(to) { "same-site" } else { "cross-site" }
}

/// True when a page of the public network would lead us to this machine or its own network.
pub(super) fn leads_inside(from: &Url, to: &Url) -> bool {
    inside(to) && !inside(from)
}

/// True for addresses that only this machine or its own network knows.
pub(super) fn inside(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    match host.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
        Ok(std::net::IpAddr::V6(ip)) => {
            let mapped = ip.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback() || v4.is_private() || v4.is_link_local());
            ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local() || mapped
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_page_tells_what_its_policy_lets_it_tell() {
        let from = url("https://me:pw@shop.example/contact?a=1#form");
        let own = url("https://shop.example/send");
        let foreign = url("https://desk.example/send");
        let plain = url("http://shop.example/send");
        let told = |p: Policy| [p.referer(&from, &own), p.referer(&from, &foreign), p.referer(&from, &plain)];
        let whole = Some("https://shop.example/contact?a=1".to_owned());
        let short = Some("https://shop.example/".to_owned());
        assert_eq!(told(Policy::default()), [whole.clone(), short.clone(), None]);
        assert_eq!(told(Policy::NoReferrer), [None, None, None]);
        assert_eq!(told(Policy::SameOrigin), [whole.clone(), None, None]);
        assert_eq!(told(Policy::Origin), [short.clone(), short.clone(), short]);
        assert_eq!(told(Policy::UnsafeUrl), [whole.clone(), whole.clone(), whole]);
        assert_eq!(Policy::default().origin(&from, &foreign), "https://shop.example");
        assert_eq!(Policy::default().origin(&from, &plain), "null");
        assert_eq!(Policy::NoReferrer.origin(&from, &own), "null");
        assert_eq!(Policy::read("no-referrer, unknown-word"), Some(Policy::NoReferrer));
        assert_eq!(Policy::read(""), None);
    }

    #[test]
    fn sites_and_networks_are_told_apart() {
        let a = url("https://www.shop.example/");
        assert_eq!(site(None, &a), "none");
        assert_eq!(site(Some(&a), &url("https://www.shop.example/x")), "same-origin");
        assert_eq!(site(Some(&a), &url("https://help.shop.example/")), "same-site");
        assert_eq!(site(Some(&a), &url("https://desk.example/")), "cross-site");
        for there in ["http://127.0.0.1:8/", "http://localhost/", "http://[::1]/", "http://169.254.169.254/x", "http://[::ffff:10.0.0.1]/"]
        {
            assert!(leads_inside(&a, &url(there)), "{there}");
            assert!(!leads_inside(&url("http://127.0.0.1/"), &url(there)), "{there}");
        }
        assert!(!leads_inside(&a, &url("https://desk.example/")));
    }
}
