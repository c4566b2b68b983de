//! How this desk's chat is worded and numbered: drawn from the seed.

use super::super::style::Rng;

/// One question before the chat.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    pub(crate) key: &'static str,
    pub(crate) label: &'static str,
    pub(crate) required: bool,
}

/// What differs from one desk's chat to the next without being a fault.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    /// Agents on duty.
    pub(crate) agents: u64,
    pub(crate) questions: Vec<Question>,
    /// Ids of lines begin so.
    pub(crate) line_prefix: &'static str,
    /// Numbers of pushed lines begin behind this one.
    pub(crate) first_cursor: u64,
    pub(crate) title: &'static str,
    /// The button that begins a conversation.
    pub(crate) start: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) bot_answers: [&'static str; 2],
    pub(crate) bot_hands_over: &'static str,
    /// Framing is refused by `frame-ancestors` rather than `X-Frame-Options`.
    pub(crate) refuses_by_policy: bool,
}

impl Words {
    pub(crate) fn draw(seed: u64) -> Words {
        let mut rng = Rng::new(seed ^ 0x0C4A_7000);
        let mut questions = vec![
            Question { key: "name", label: rng.pick(&["Your name", "Name", "How may we call you?"]), required: true },
            Question { key: "email", label: rng.pick(&["E-mail", "Your e-mail address"]), required: rng.below(2) == 0 },
        ];
        if rng.below(2) == 0 {
            questions.reverse();
        }
        Words {
            agents: 1 + rng.below(4),
            questions,
            line_prefix: rng.pick(&["", "m", "line-"]),
            first_cursor: rng.below(5_000),
            title: rng.pick(&["Chat with us", "Live chat", "Talk to us"]),
            start: rng.pick(&["Start chat", "Begin", "Start the conversation"]),
            subject: rng.pick(&["Chat with", "Live chat:", "Website visitor"]),
            bot_answers: [
                rng.pick(&["I am the assistant. Could you say that in other words?", "I am a bot. I know opening hours and parcels."]),
                rng.pick(&["Did you look at our help centre?", "Our frequent questions may help you already."]),
            ],
            bot_hands_over: rng.pick(&["I pass you on to one of us.", "Of course, I hand you over now."]),
            refuses_by_policy: rng.below(2) == 0,
        }
    }
}
