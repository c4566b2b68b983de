//! Style sheet, script and icons: part of the program, so that a page asks no other host for anything.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::LazyLock;

const STYLE: &str = include_str!("assets/page.css");
const SCRIPT: &str = include_str!("assets/live.js");
/// The colour and the sign of an icon: a state must be told without colours too.
const ICONS: [(&str, &str, &str); 3] = [
    ("ok.svg", "#1a7f37", "M8 17l5 5 11-12"),
    ("broken.svg", "#c62828", "M10 10l12 12M22 10l-12 12"),
    ("unknown.svg", "#8a5a00", "M11 12c0-7 10-7 10 0 0 4-5 4-5 7M16 24v1"),
];

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let digest = ring::digest::digest(&ring::digest::SHA256, [STYLE, SCRIPT].concat().as_bytes());
    digest.as_ref().iter().take(6).map(|b| format!("{b:02x}")).collect()
});

/// Changes with the assets, so that browsers may keep them for long.
pub fn version() -> &'static str {
    &VERSION
}

/// One asset.
pub async fn asset(Path(name): Path<String>) -> Response {
    let (kind, text) = match name.as_str() {
        "page.css" => ("text/css; charset=utf-8", STYLE.to_owned()),
        "live.js" => ("text/javascript; charset=utf-8", SCRIPT.to_owned()),
        icon => match ICONS.iter().find(|(known, ..)| *known == icon) {
            Some((_, colour, path)) => ("image/svg+xml", draw(colour, path)),
            None => return (StatusCode::NOT_FOUND, "there is no such file\n").into_response(),
        },
    };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=86400")], text).into_response()
}

fn draw(colour: &str, path: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\"><rect width=\"32\" height=\"32\" rx=\"7\" fill=\"{colour}\"/>\
         <path d=\"{path}\" fill=\"none\" stroke=\"#fff\" stroke-width=\"4\" stroke-linecap=\"round\"/></svg>"
    )
}
