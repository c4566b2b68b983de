//! Signing in and out, and pages that only say something.

use super::frame::{Base, View, page};
use super::guard::{Viewer, Ways};
use jiff::Timestamp;
use maud::{Markup, html};

/// A view of nobody in particular.
fn plain(base: Base, now: Timestamp) -> View<'static> {
    View { viewer: Viewer::Public, user: None, base, now, csrf: "", open: false, told: "" }
}

/// The forms, or where nobody can sign in what to do about that.
pub fn sign_in(ways: Ways, wrong: bool, now: Timestamp) -> Markup {
    let main = html! {
        h1 { "Sign in" }
        @if wrong { p.fail role="alert" { (if ways.users { "That is not right." } else { "That is not the token." }) } }
        @if ways.users {
            form.signin method="post" action="login" {
                label for="user" { "Your name" }
                input #user name="user" autocomplete="username" autocapitalize="none" required autofocus;
                label for="password" { "Your password" }
                input #password type="password" name="password" autocomplete="current-password" required;
                button { "Sign in" }
            }
        }
        @if ways.token {
            form.signin method="post" action="login" {
                label for="token" { @if ways.users { "Or the operators' token" } @else { "The operators' token" } }
                input #token type="password" name="token" autocomplete="off" required autofocus[!ways.users];
                button { @if ways.users { "Sign in by token" } @else { "Sign in" } }
            }
        }
        @if !ways.token && !ways.users {
            p.notice {
                "Neither a token nor users are configured, so nobody can sign in: evidence is shown to browsers on the machine of the daemon \
                 alone, and no run can be started from here. Set " code { "token" } " or " code { "users" } " in " code { "[page]" } " of "
                code { "replypath.toml" } "."
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
