//! Captchas, known by what their vendors tell sites to put into a page. They are named, never solved.

use super::page::{Captcha, Page};
use scraper::ElementRef;

/// Name, and words of classes or element names that stand where the captcha is shown.
const WIDGETS: [(&str, &[&str]); 8] = [
    ("reCAPTCHA", &["g-recaptcha", "grecaptcha", "wpcf7-recaptcha"]),
    ("hCaptcha", &["h-captcha"]),
    ("Turnstile", &["cf-turnstile"]),
    ("Friendly Captcha", &["frc-captcha"]),
    ("ALTCHA", &["altcha-widget", "altcha"]),
    ("mCaptcha", &["mcaptcha__widget-container", "mcaptcha"]),
    ("GeeTest", &["geetest_captcha", "geetest"]),
    ("Arkose", &["arkose", "funcaptcha"]),
];

/// Name, and what stands in the addresses of its scripts and frames.
const ADDRESSES: [(&str, &[&str]); 8] = [
    ("reCAPTCHA", &["google.com/recaptcha", "recaptcha.net/recaptcha", "gstatic.com/recaptcha"]),
    ("hCaptcha", &["hcaptcha.com"]),
    ("Turnstile", &["challenges.cloudflare.com/turnstile"]),
    ("Friendly Captcha", &["friendlycaptcha", "friendly-challenge"]),
    ("ALTCHA", &["altcha"]),
    ("mCaptcha", &["mcaptcha"]),
    ("GeeTest", &["geetest"]),
    ("Arkose", &["arkoselabs", "funcaptcha"]),
];

/// The captcha that the element is a mark of.
pub(super) fn mark(element: &ElementRef<'_>, form: Option<usize>) -> Option<Captcha> {
    let value = element.value();
    let tag = value.name();
    let widget = WIDGETS.iter().find(|(_, words)| words.iter().any(|w| tag == *w || value.classes().any(|c| c.eq_ignore_ascii_case(w))));
    if let Some((name, _)) = widget {
        return Some(Captcha { name, form, script: false });
    }
    match tag {
        "script" | "iframe" => {
            let src = value.attr("src")?.to_ascii_lowercase();
            let (name, _) = ADDRESSES.iter().find(|(_, parts)| parts.iter().any(|p| src.contains(p)))?;
            Some(Captcha { name, form: form.filter(|_| tag == "iframe"), script: tag == "script" })
        }
        // A picture to be read, or a field for what it shows.
        "img" | "input" | "canvas" => {
            let kind = value.attr("type").unwrap_or_default();
            let texts = ["src", "name", "id", "alt"].into_iter().filter_map(|a| value.attr(a));
            let named = texts.map(str::to_ascii_lowercase).any(|t| t.contains("captcha") && !t.contains("recaptcha"));
            (named && kind != "hidden").then_some(Captcha { name: "a captcha of the site's own", form, script: false })
        }
        _ => None,
    }
}

/// The captcha that guards the form. A script of the page counts when no other form explains it.
pub(super) fn guarding(page: &Page, form: usize) -> Option<&'static str> {
    let own = page.captchas.iter().find(|c| c.form == Some(form));
    let loose = || page.captchas.iter().find(|c| c.form.is_none() && !c.script);
    let script = || page.captchas.iter().find(|c| c.script && !page.captchas.iter().any(|other| other.form.is_some() && !other.script));
    own.or_else(loose).or_else(script).map(|c| c.name)
}
