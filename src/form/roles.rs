//! What a field asks for, where the probe does not say: known by type, autofill word, label and name, in this order.

use super::page::{Control, plain};

/// What a field asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Email,
    Name,
    GivenName,
    FamilyName,
    Subject,
    Message,
}

impl Role {
    /// In words, for people.
    pub fn text(self) -> &'static str {
        match self {
            Role::Email => "the customer's address",
            Role::Name => "the customer's name",
            Role::GivenName => "the customer's first name",
            Role::FamilyName => "the customer's last name",
            Role::Subject => "the subject",
            Role::Message => "the text",
        }
    }
}

const MAIL: [&str; 6] = ["email", "e mail", "mailadresse", "mail address", "correo", "courriel"];
const SUBJECT: [&str; 8] = ["subject", "betreff", "sujet", "asunto", "oggetto", "onderwerp", "summary", "thema"];
const MESSAGE: [&str; 18] = [
    "message",
    "nachricht",
    "description",
    "beschreibung",
    "question",
    "frage",
    "comment",
    "comments",
    "enquiry",
    "inquiry",
    "mensaje",
    "body",
    "anliegen",
    "details",
    "issue",
    "problem",
    "bericht",
    "messaggio",
];
const NAME: [&str; 7] = ["name", "fullname", "realname", "nombre", "nome", "naam", "nom"];
const GIVEN: [&str; 6] = ["first name", "firstname", "given name", "vorname", "prénom", "fname"];
const FAMILY: [&str; 8] = ["last name", "lastname", "family name", "surname", "nachname", "apellido", "apellidos", "lname"];
/// Names of other things than people.
const NOT_A_PERSON: [&str; 14] = [
    "company",
    "firma",
    "user",
    "product",
    "produkt",
    "organisation",
    "organization",
    "file",
    "domain",
    "order",
    "project",
    "business",
    "nick",
    "username",
];

/// What the field asks for; none: nothing that a customer's data answer.
pub(super) fn role(control: &Control) -> Option<Role> {
    if !control.takes_text() || matches!(control.kind.as_str(), "password" | "search" | "tel" | "url" | "number") {
        return None;
    }
    let long = control.kind == "textarea";
    match control.autocomplete.rsplit(' ').next().unwrap_or_default() {
        "email" => return Some(Role::Email),
        "name" => return Some(Role::Name),
        "given-name" => return Some(Role::GivenName),
        "family-name" => return Some(Role::FamilyName),
        "tel" | "organization" | "username" | "street-address" | "postal-code" | "url" => return None,
        _ => {}
    }
    if control.kind == "email" {
        return Some(Role::Email);
    }
    let texts = control.labels.iter().map(|l| plain(l)).chain([&control.name, &control.id].map(|w| spaced(w)));
    texts.into_iter().find_map(|text| by_words(&text, long))
}

fn by_words(text: &str, long: bool) -> Option<Role> {
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let joined = words.join(" ");
    let has = |list: &[&str]| list.iter().any(|w| if w.contains(' ') { joined.contains(w) } else { words.contains(w) });
    if long {
        return (has(&MESSAGE) || joined.contains("help") || joined.contains("helfen")).then_some(Role::Message);
    }
    if has(&MAIL) || joined.contains("email") {
        return Some(Role::Email);
    }
    if has(&SUBJECT) {
        return Some(Role::Subject);
    }
    if has(&NOT_A_PERSON) {
        return None;
    }
    if has(&GIVEN) {
        return Some(Role::GivenName);
    }
    if has(&FAMILY) {
        return Some(Role::FamilyName);
    }
    if has(&NAME) {
        return Some(Role::Name);
    }
    has(&MESSAGE).then_some(Role::Message)
}

/// `customerEmail`, `your-email` and `your_email[1]` as words.
fn spaced(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut lower = false;
    for c in name.chars() {
        if c.is_uppercase() && lower {
            out.push(' ');
        }
        lower = c.is_lowercase();
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else {
            out.push(' ');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str, label: &str, name: &str) -> Option<Role> {
        let labels = if label.is_empty() { vec![] } else { vec![label.to_owned()] };
        role(&Control { kind: kind.to_owned(), labels, name: name.to_owned(), ..Control::default() })
    }

    #[test]
    fn fields_are_known_by_what_they_are_called() {
        for (kind, label, name, wanted) in [
            ("email", "", "x", Some(Role::Email)),
            ("text", "E-Mail-Adresse *", "f1", Some(Role::Email)),
            ("text", "", "customerEmail", Some(Role::Email)),
            ("text", "Your name", "f2", Some(Role::Name)),
            ("text", "", "realname", Some(Role::Name)),
            ("text", "First name", "", Some(Role::GivenName)),
            ("text", "Nachname:", "", Some(Role::FamilyName)),
            ("text", "Company name", "", None),
            ("text", "Benutzername", "", None),
            ("text", "Betreff", "", Some(Role::Subject)),
            ("text", "Summary of the problem", "", Some(Role::Subject)),
            ("textarea", "How can we help?", "", Some(Role::Message)),
            ("textarea", "", "your-message", Some(Role::Message)),
            ("textarea", "Your address", "", None),
            ("tel", "Name", "", None),
            ("text", "Order number", "order", None),
        ] {
            assert_eq!(of(kind, label, name), wanted, "{kind} {label} {name}");
        }
    }
}
