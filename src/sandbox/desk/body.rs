//! The bodies of the desk's mail: the words, the footer, what went before, and what marketing adds.

use super::super::faults::Fault;
use super::super::mime::{date, escape_html};
use super::super::style::Quote;
use super::super::world::World;
use super::outbound::{Kind, link, previous, quote_lines};
use super::{Message, Ticket};

/// The plain text.
pub(super) fn text(world: &World, ticket: &Ticket, message: &Message, kind: Kind) -> String {
    let tongue = &world.style.tongue;
    let branded = world.switches.on(Fault::OkBranding);
    let legal = if branded { format!("\n{}\n{}\n", counted(world, &link(world, ticket)), tongue.legal) } else { String::new() };
    if kind != Kind::Answer {
        return format!("{}{legal}", message.text);
    }
    let footer = format!("-- \n{} - {}: {}\n{legal}", world.names.desk, tongue.online, link(world, ticket));
    let quoted: String = quotable(world, ticket, message).into_iter().map(|m| quoted(world, ticket, m)).collect();
    let above = if world.style.quote == Quote::AboveLine { format!("{}\n\n", tongue.above) } else { String::new() };
    format!("{above}{}\n\n{footer}\n{quoted}", message.text.trim_end())
}

/// What an answer quotes: the customer's last words, or all that is public, newest first.
fn quotable<'t>(world: &World, ticket: &'t Ticket, message: &Message) -> Vec<&'t Message> {
    if !world.switches.on(Fault::TokenInQuote) {
        return previous(ticket, message).into_iter().collect();
    }
    let mut earlier: Vec<&Message> = ticket.messages.iter().take_while(|m| m.id != message.id).filter(|m| m.public).collect();
    earlier.reverse();
    earlier
}

fn quoted(world: &World, ticket: &Ticket, message: &Message) -> String {
    let (at, tongue) = (date(message.created), &world.style.tongue);
    let name = if ticket.requester_name.is_empty() { &ticket.requester } else { &ticket.requester_name };
    match world.style.quote {
        Quote::Marked | Quote::AboveLine => format!("{}\n{}", tongue.introduces(&at, name), quote_lines(&message.text)),
        Quote::Original => {
            let [from, sent, subject] = tongue.fields;
            let head = format!("{}\n{from}: {name} <{}>\n{sent}: {at}\n{subject}: ", tongue.original, ticket.requester);
            format!("{head}{}\n\n{}\n", ticket.subject, message.text.trim_end())
        }
    }
}

/// The HTML.
pub(super) fn html(world: &World, ticket: &Ticket, message: &Message) -> String {
    let tongue = &world.style.tongue;
    let branded = world.switches.on(Fault::OkBranding);
    let own = message.html.clone().unwrap_or_else(|| format!("<p>{}</p>", lines(&message.text)));
    let above = if world.style.quote == Quote::AboveLine { format!("<div>{}</div>\n", tongue.above) } else { String::new() };
    let mut target = link(world, ticket);
    let mut frame = [String::new(), String::new()];
    if branded {
        target = counted(world, &target);
        let logo = counted(world, &format!("https://{}/logo.png", world.names.desk));
        frame = [
            format!("<table><tr><td><img src=\"{logo}\" alt=\"\" width=\"120\"></td></tr></table>\n"),
            format!("<p style=\"font-size:8pt;color:#888\">{}</p><img src=\"{logo}\" alt=\"\" width=\"1\" height=\"1\">\n", tongue.legal),
        ];
    }
    let footer =
        format!("<p class=\"footer\">{} - <a href=\"{}\">{}</a></p>", escape_html(&world.names.desk), escape_html(&target), tongue.online);
    let quoted: String = quotable(world, ticket, message)
        .into_iter()
        .map(|m| {
            let introduced = tongue.introduces(&date(m.created), &escape_html(&ticket.requester));
            format!("<p>{introduced}</p>\n<blockquote type=\"cite\">{}</blockquote>\n", lines(&m.text))
        })
        .collect();
    let [logo, legal] = frame;
    format!("<html><body>\n{above}{logo}{own}\n{footer}\n{legal}{quoted}\n</body></html>\n")
}

fn lines(text: &str) -> String {
    escape_html(text.trim_end()).replace('\n', "<br>\n")
}

/// A link through a counter of clicks.
fn counted(world: &World, target: &str) -> String {
    let target: String =
        target.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
    format!("https://click.{}/c/{}?u={target}", world.names.desk, world.pace.hex(10))
}
