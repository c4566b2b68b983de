//! Signing in and out, and pages that only say something.

use super::frame::{Base, View, page};
use super::guard::Viewer;
use jiff::Timestamp;
use maud::{Markup, html};

/// A view of nobody in particular.
fn plain(base: Base, now: Timestamp) -> View<'static> {
    View { viewer: Viewer::Public, base, now, csrf: "", open: false }
}

/// The form, or where there is no token what to do about that.
pub fn sign_in(has_token: bool, wrong: bool, now: Timestamp) -> Markup {
    let main = html! {
        h1 { "Sign in" }
        @if has_token {
            form.signin method="post" action="login" {
                @if wrong { p.fail role="alert" { "That is not the token." } }
                label for="token" { "The operators' token" }
                input #token type="password" name="token" autocomplete="current-password" required autofocus;
                button { "Sign in" }
            }
        } @else {
            p.notice {
                "No token is configured, so nobody can sign in: evidence is shown to browsers on the machine of the daemon alone, and no run \
                 can be started from here. Set " code { "token" } " in " code { "[page]" } " of " code { "replypath.toml" } "."
            }
        }
    };
    page(plain(Base::ROOT, now), "Sign in - replypath", "unknown", &main)
}

/// A page that says why there is no other.
pub fn message(base: Base, now: Timestamp, title: &str, text: &Markup) -> Markup {
    let main = html! { h1 { (title) } p { (text) } p { a href=(base.to("")) { "To the overview" } } };
    page(plain(base, now), &format!("{title} - replypath"), "unknown", &main)
}
