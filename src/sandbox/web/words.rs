//! How this desk's form is worded, named and ordered: drawn from the seed, so that nobody can lean on it.

use super::super::style::Rng;

/// The fields of the form by what they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Ask {
    Name,
    Email,
    Topic,
    Subject,
    Message,
    File,
    Consent,
}

impl Ask {
    /// Its name where names are not drawn anew for every visit.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Ask::Name => "name",
            Ask::Email => "email",
            Ask::Topic => "topic",
            Ask::Subject => "subject",
            Ask::Message => "message",
            Ask::File => "file",
            Ask::Consent => "consent",
        }
    }

    /// The type of its input.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Ask::Name | Ask::Subject => "text",
            Ask::Email => "email",
            Ask::Topic => "select",
            Ask::Message => "textarea",
            Ask::File => "file",
            Ask::Consent => "checkbox",
        }
    }

    pub(crate) fn is_required(self) -> bool {
        !matches!(self, Ask::Topic | Ask::File)
    }
}

/// What differs from one desk's web side to the next without being a fault.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    /// Fields in their order.
    pub(crate) order: Vec<Ask>,
    /// Names of fields are drawn anew for every visit.
    pub(crate) hashed_names: bool,
    /// The number stands in the address of the thank-you, not only in its text.
    pub(crate) number_in_redirect: bool,
    /// The hidden input with the token.
    pub(crate) token_field: &'static str,
    /// Its name after the contract changed.
    pub(crate) new_token_field: &'static str,
    pub(crate) cookie: &'static str,
    /// The trap for programs, and the class that hides it.
    pub(crate) honeypot: &'static str,
    pub(crate) hiding: &'static str,
    pub(crate) title: &'static str,
    pub(crate) button: &'static str,
    pub(crate) thanks: &'static str,
    pub(crate) shop: &'static str,
    labels: [&'static str; 7],
    topics: [&'static str; 3],
}

impl Words {
    pub(crate) fn draw(seed: u64) -> Words {
        let mut rng = Rng::new(seed ^ 0x00F0_2157);
        let mut order = vec![Ask::Name, Ask::Email, Ask::Topic, Ask::Subject];
        if rng.below(2) == 0 {
            order.swap(0, 1);
        }
        if rng.below(2) == 0 {
            order.rotate_right(2);
        }
        order.extend([Ask::Message, Ask::File]);
        Words {
            order,
            hashed_names: rng.below(2) == 0,
            number_in_redirect: rng.below(2) == 0,
            token_field: rng.pick(&["authenticity_token", "csrf_token", "_token"]),
            new_token_field: rng.pick(&["request_token", "form_key"]),
            cookie: rng.pick(&["sid", "desk_session", "visit"]),
            honeypot: rng.pick(&["website", "homepage", "company_fax"]),
            hiding: rng.pick(&["extra", "row-more", "aux"]),
            title: rng.pick(&["Contact us", "Write to us", "How can we help?"]),
            button: rng.pick(&["Send", "Submit", "Send message"]),
            thanks: rng.pick(&["Thank you for your message.", "Thank you! We received your request.", "Thanks for writing to us."]),
            shop: rng.pick(&["Northwind Outdoor", "Lantern & Oak", "Harbour Bikes"]),
            labels: [
                rng.pick(&["Name", "Your name", "Full name"]),
                rng.pick(&["E-mail", "E-mail address", "Your e-mail address"]),
                "What is it about?",
                rng.pick(&["Subject", "Subject line"]),
                rng.pick(&["Message", "Your message"]),
                rng.pick(&["File", "Attach a file"]),
                "I agree that my details are stored to answer my request (consent)",
            ],
            topics: [
                rng.pick(&["Support and repairs", "Technical support", "Support"]),
                rng.pick(&["Billing", "Billing and payment", "Invoices (billing)"]),
                rng.pick(&["Sales", "Sales and offers", "Talk to sales"]),
            ],
        }
    }

    /// The label of a field.
    pub(crate) fn label(&self, ask: Ask) -> &'static str {
        self.labels[ask as usize]
    }

    /// The text of the option that leads to the queue with this index.
    pub(crate) fn topic(&self, queue: usize) -> &'static str {
        self.topics[queue.min(self.topics.len() - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_draw_different_forms_and_the_same_seed_the_same() {
        let drawn: Vec<Words> = (0..40).map(Words::draw).collect();
        for hashed in [true, false] {
            assert!(drawn.iter().any(|w| w.hashed_names == hashed));
            assert!(drawn.iter().any(|w| w.number_in_redirect == hashed));
        }
        assert!(drawn.iter().any(|w| w.order[0] == Ask::Email) && drawn.iter().any(|w| w.order[0] == Ask::Topic));
        assert_eq!(format!("{:?}", Words::draw(7)), format!("{:?}", Words::draw(7)));
        assert_eq!(drawn[0].label(Ask::Topic), "What is it about?");
        assert!(drawn.iter().all(|w| w.topic(1).to_lowercase().contains("billing") || w.topic(1).to_lowercase().contains("invoices")));
    }
}
