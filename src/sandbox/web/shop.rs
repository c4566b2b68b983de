//! The company's own pages, on which form and chat of the desk are embedded.

use super::super::mime::escape_html;
use super::super::world::World;
use super::page::{other_origin, page};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use std::sync::Arc;

fn shop_page(world: &World, title: &str, inside: &str) -> Response {
    let shop = escape_html(world.web.words.shop);
    let body = format!(
        "<header class=\"top\"><div><strong>{shop}</strong>\
         <nav><a href=\"/shop/chat\">Shop</a> <a href=\"/shop/contact\">Contact</a></nav></div></header>\n\
         <main>\n<h1>{title}</h1>\n{inside}\n<footer>{shop} - open every day</footer>\n</main>"
    );
    page(StatusCode::OK, &format!("{title} - {}", world.web.words.shop), &body)
}

/// `GET /shop/contact`: the desk's form in a frame.
pub(crate) async fn contact(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    let desk = other_origin(&world, &headers);
    let frame = format!(
        "<iframe class=\"form\" title=\"Contact form\" src=\"{desk}/embed/form\"></iframe>\n\
         <script>\nconst frame = document.querySelector(\"iframe.form\");\n\
         addEventListener(\"message\", (event) => {{\n  if (event.source === frame.contentWindow && event.origin === \"{desk}\" && event.data.height) \
         frame.style.height = `${{event.data.height + 16}}px`;\n}});\n</script>"
    );
    shop_page(&world, world.web.words.title, &frame)
}

/// `GET /shop/chat`: the front page, with the desk's chat in a frame.
pub(crate) async fn front(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    let desk = other_origin(&world, &headers);
    let goods = [
        ("Made to last", "Everything we sell can be repaired, and we have the parts."),
        ("Delivered by bike", "Within the city on the same day, elsewhere in two."),
        ("Thirty days", "Send back what you do not like, no questions asked."),
    ];
    let goods: String =
        goods.iter().map(|(title, text)| format!("<section class=\"card\"><h2>{title}</h2><p>{text}</p></section>\n")).collect();
    // The frame asks for room when the chat is opened.
    let inside = format!(
        "<p>Questions? Chat with us, or <a href=\"/shop/contact\">write to us</a>.</p>\n<div class=\"goods\">\n{goods}</div>\n\
         <iframe class=\"chat\" title=\"Live chat\" src=\"{desk}/embed/chat\"></iframe>\n\
         <script>\nconst frame = document.querySelector(\"iframe.chat\");\n\
         addEventListener(\"message\", (event) => {{\n  if (event.source === frame.contentWindow && event.origin === \"{desk}\") \
         frame.classList.toggle(\"open\", event.data === \"open\");\n}});\n</script>"
    );
    shop_page(&world, "Good things for every day", &inside)
}
