//! SMTP (RFC 5321): the server behind three doors, and the client that relays.

pub(crate) mod client;
pub(crate) mod server;

/// An answer of a server: code, enhanced status, words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn new(code: u16, text: impl Into<String>) -> Reply {
        Reply { code, text: text.into() }
    }

    pub(crate) fn is_positive(&self) -> bool {
        self.code < 400
    }

    pub(crate) fn is_transient(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// The enhanced status code (RFC 3463) at the start of the text.
    pub(crate) fn status(&self) -> Option<&str> {
        let word = self.text.split(' ').next()?;
        let shape = word.split('.').count() == 3 && word.chars().all(|c| c.is_ascii_digit() || c == '.');
        shape.then_some(word)
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

/// Sender and recipients of one message; an empty sender is the null reverse path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
}
