//! The tables `[email]`, `[form]` and `[chat]` of a probe file.

use crate::config::collections::{Keyed, List, OneOrMany};
use crate::config::read::table;
use crate::config::values::{Address, Count, Period, Word};
use crate::config::web_values::{NumberPattern, PageUrl, Selector};
use crate::model::{AnswerBy, Visitor, WhenOffline};

table! {
    /// The request as mail. `${token}`, `${run}`, `${customer}` and `${address}` may stand in subject and texts. A text without `${token}` gets it as a last line.
    EmailShape "`[email]`" {
        /// The published address, or a list of them.
        required to: OneOrMany<Address>,
        /// Further recipients that everybody sees.
        optional cc: OneOrMany<Address>,
        /// Recipients that stand in no header.
        optional bcc: OneOrMany<Address>,
        /// The subject.
        required subject: String,
        /// The text.
        required text: String,
        /// The same in HTML, for a mail with both.
        optional html: String,
        /// Files to attach, by their paths beside the probe file; at most 10 MB each.
        optional attachments: OneOrMany<String>,
    }
}

table! {
    /// The request through a web form. `${token}`, `${run}`, `${customer}` and `${address}` may stand in every text, `${subject}` and `${text}` also in the values of fields. A text without `${token}` gets it as a last line. Fields that nothing here names are filled by what they ask for: the customer's name and address, the subject, the text.
    FormShape "`[form]`" {
        /// The page with the form, or the page into which it is embedded. With `recipe` it may stay away.
        optional page: PageUrl,
        /// The subject; the ticket must carry it.
        required subject: String,
        /// The text; the ticket must show it.
        required text: String,
        /// What goes into which field, each found by one of `label`, `name`, `type` and `order`: `{ label = "Topic", choose = "Billing" }`.
        optional fields: List<FieldShape>,
        /// Files to attach, by their paths beside the probe file; at most 10 MB each.
        optional attachments: OneOrMany<String>,
        /// The field that takes the files: `{ label = "Attachment" }`. Default: the first one for files.
        optional attachments_in: FilesInShape,
        /// Which form of the page: a CSS selector. Default: the one that the fields fit best.
        optional form: Selector,
        /// The button's text. Default: the form's own button.
        optional submit: String,
        /// Text that the thank-you must hold. Default: what usually stands there.
        optional thanks: String,
        /// Where the ticket's number stands in the thank-you or in the address it leads to: a regular expression in single quotes, with one group. Default: what usually stands there.
        optional number: NumberPattern,
        /// The time between opening the page and submitting, as a person takes it; quicker ones look like robots.
        optional dwell: Period = "4s",
        /// Fill it in with Chromium: for pages that need JavaScript, and for embedded forms.
        optional browser: bool = false,
        /// The frame in which the form is: CSS selectors from the page inwards; ` >>> ` steps into a shadow root. Goes with `browser`.
        optional frame: OneOrMany<Selector>,
        /// How long a run may use the browser. Goes with `browser`.
        optional limit: Period = "1m",
        /// Send it as the desk's definition says in `[[create]]` of this id, instead of by the page.
        optional recipe: String,
    }
}

table! {
    /// A field of a form: how it is found, and what is done to it.
    FieldShape "a field" {
        /// By its label as people read it, whatever the case; a part is enough when only one label holds it.
        optional label: String,
        /// By its `name` in the page.
        optional name: String,
        /// By its type: `email`, `file`, `textarea`, `select`, …; the first one.
        optional r#type: String,
        /// By its place among the visible fields, from 1.
        optional order: Count,
        /// Write this.
        optional write: Word,
        /// Choose the option with this text, of a list or of radio buttons.
        optional choose: Word,
        /// Tick it, or not.
        optional tick: bool,
    }
}

table! {
    /// The field of a form that takes the files.
    FilesInShape "`attachments_in`" {
        /// By its label as people read it.
        optional label: String,
        /// By its `name` in the page.
        optional name: String,
        /// By its type; the first one.
        optional r#type: String,
        /// By its place among the visible fields, from 1.
        optional order: Count,
    }
}

table! {
    /// The request by live chat, as the desk's definition says in its `[chat]`, or by a chat bubble in Chromium (`browser = true`). `${token}`, `${run}`, `${customer}` and `${address}` may stand in every text. A text without `${token}` gets it as a last line.
    ChatShape "`[chat]`" {
        /// The company's page on which the chat stands. Required with `browser`.
        optional page: PageUrl,
        /// The visitor's first line.
        required text: String,
        /// Files sent with the first line, by their paths beside the probe file; at most 10 MB each.
        optional attachments: OneOrMany<String>,
        /// Answers to the questions before the chat, by their keys. Default: the customer's name and address where they are asked for.
        optional prechat: Keyed<Word>,
        /// Said when a bot answers, to reach a person: `"Can I talk to a person?"`. Default: no bot is expected.
        optional hand_over: String,
        /// How often the visitor may have to say it. Goes with `hand_over`.
        optional bot_turns: Count = 3,
        /// When no chat is offered: `fail`; `unknown`, since nothing can be tested then; or `message`: leave a message, whose answer comes by mail.
        optional when_offline: WhenOffline = "fail",
        /// Where the agent's answer must come: into the `chat` window, or by `email` after the visitor has gone.
        optional answer: AnswerBy = "chat",
        /// Somebody new in every run, or the same visitor kept from run to run (encrypted in the state folder), for desks that allow few new visitors an hour.
        optional visitor: Visitor = "fresh",
        /// Open a second window and reload the first before the follow-up: the same conversation must be there.
        optional reload: bool = false,
        /// The answer must be pushed into the open window, not only be there after a look. Default: true where the chat can push.
        optional pushed: bool,
        /// Chat by a bubble in Chromium, by the steps `open`, `say` and `leave`.
        optional browser: bool = false,
        /// How long a run may use the browser. Goes with `browser`.
        optional limit: Period = "5m",
        /// From the page to a visitor who can write. Goes with `browser`.
        optional open: List<StepShape>,
        /// Writes `${line}` and sends it. Goes with `browser`.
        optional say: List<StepShape>,
        /// Ends the chat. Default: the window is only closed. Goes with `browser`.
        optional leave: List<StepShape>,
        /// Where the lines of the conversation are. Goes with `browser`.
        optional read: ChatReadShape,
    }
}

table! {
    /// One step in the browser: one of `frame`, `wait_for`, `click`, `write`, `choose` and `press`. Elements are CSS selectors; ` >>> ` steps into a shadow root.
    StepShape "a step" {
        /// Go into this frame; `""` goes back to the page.
        optional frame: String,
        /// Wait until this element can be seen.
        optional wait_for: Selector,
        /// Click this element.
        optional click: Selector,
        /// Write this text. Goes with `into`.
        optional write: String,
        /// The element to write into.
        optional into: Selector,
        /// Choose the option with this text. Goes with `of`.
        optional choose: String,
        /// The list to choose of.
        optional of: Selector,
        /// Press this key in the element in focus: `Enter`, `Tab`, `Escape`.
        optional press: String,
    }
}

table! {
    /// Where the lines of a chat bubble are. Selectors are CSS; ` >>> ` steps into a shadow root.
    ChatReadShape "`[chat.read]`" {
        /// The frame in which the lines are, from the page inwards. Default: the page itself.
        optional frame: OneOrMany<Selector>,
        /// Every line of the conversation.
        required line: Selector,
        /// Those of the lines that are the agent's. Default: what the visitor did not write.
        optional agent: Selector,
        /// Those of the lines that are a bot's or the system's. Default: none.
        optional bot: Selector,
    }
}
