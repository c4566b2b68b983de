//! Tables that turn answers into tickets, messages and changes.

use super::super::parse::{AUTHORS, STATUSES, TRUTH};
use super::{Kind, Shape, key};

const ANY: Kind = Kind::Value(&[]);

/// `[record]`.
pub static RECORD: Shape = Shape {
    name: "record",
    heading: "`[record]`",
    doc: "The fields of a ticket. A path without a step reads the answer of the first step of `[read]`. A field that is absent in the answer is unknown, never empty; one that is not mapped cannot be expected by probes.",
    keys: &[
        key("id", ANY, "The ticket's id for the API.").required(),
        key("number", ANY, "The number that people know.").default("the id"),
        key("subject", ANY, "The subject."),
        key("queue", ANY, "The queue, group, team or inbox, by its name."),
        key("status", Kind::Value(&STATUSES), "The status in common words."),
        key("requester", ANY, "The customer's mail address. Needed by everything that changes tickets."),
        key("priority", ANY, "The priority as the desk words it."),
        key("channel", ANY, "How it came in, as the desk words it."),
        key("created", ANY, "When it was made; a table has `time` beside the value."),
        key("hold_cause", ANY, "Why the desk holds it back."),
        key("tags", Kind::Source, "A list of texts."),
        key("fields", Kind::Values, "Custom fields."),
    ],
    reserved: &["team"],
};

/// `[message]`.
pub static MESSAGE: Shape = Shape {
    name: "message",
    heading: "`[message]`",
    doc: "The fields of a message. A path without a step reads the row in hand; a repeated step's answer is the one for this row.",
    keys: &[
        key("id", ANY, "The message's id.").required(),
        key("public", Kind::Value(&TRUTH), "Whether the customer can see it."),
        key("author", Kind::Value(&AUTHORS), "Who wrote it."),
        key("text", ANY, "Its plain text. Made from the HTML when it has none."),
        key("html", ANY, "Its HTML."),
        key("body", ANY, "Its text or HTML, where the desk tells which by a media type; with `kind`."),
        key("kind", ANY, "With `body`: the media type."),
        key("at", ANY, "When it was written; a table has `time` beside the value."),
        key("message_id", ANY, "The Message-ID of its mail."),
        key("delivery", ANY, "What became of the mail that it caused."),
        key("files", Kind::Table(&FILES), "Its files."),
    ],
    reserved: &[],
};

/// `[message.files]`.
pub static FILES: Shape = Shape {
    name: "files",
    heading: "`[message.files]`",
    doc: "The files of a message. With `content` alone the bytes stand in the row; with `url` they are fetched, with the desk's credentials, from its hosts only.",
    keys: &[
        key("each", Kind::Source, "The list of files.").required(),
        key("name", Kind::Path, "The file's name.").required(),
        key("type", Kind::Path, "Its media type."),
        key("size", Kind::Path, "Its size in bytes."),
        key(
            "url",
            Kind::Template,
            "Where its bytes are: a path below `base`, or a whole URL. `${item}` is the row, `${message.id}` the message.",
        ),
        key("content", Kind::Path, "Where the bytes stand: in the fetched JSON, or in the row."),
        key("decode", Kind::Words(&["base64"]), "How `content` is packed."),
    ],
    reserved: &[],
};

/// `[history.entry]`.
pub static ENTRY: Shape = Shape {
    name: "entry",
    heading: "`[history.entry]`",
    doc: "The fields of a change.",
    keys: &[
        key("at", ANY, "When; a table has `time` beside the value."),
        key("who", ANY, "Who changed it."),
        key("kind", ANY, "What happened, as the desk words it."),
        key("field", ANY, "The field: `queue`, `status`, `owner` where it is one of these."),
        key("old", ANY, "The value before."),
        key("new", ANY, "The value after."),
    ],
    reserved: &[],
};

/// A value as a table.
pub static VALUE: Shape = Shape {
    name: "value",
    heading: "A value",
    doc: "Where a field comes from. `\"step:path\"` is the short form of `{ from = … }`; a list gives its first entry that has a value; `true` and `false` stand for themselves. The other forms are tables: `{ from, decode, map, other }` · `{ not }` · `{ value }` · `{ first }` · `{ if, then, else }` · `{ from, equals, then, else }` · `{ key, in, by, take }`.",
    keys: &[
        key("from", Kind::Source, "The value's place."),
        key("not", Kind::Source, "The place of a truth value, turned round."),
        key("decode", Kind::Words(&["base64", "json", "html"]), "How it is packed, outermost first. `html` gives the text."),
        key("map", Kind::Map, "The desk's words in common words. What is not among them is unknown, or `other`."),
        key("other", Kind::Text, "With `map`: what everything else means."),
        key("value", Kind::Text, "Always this."),
        key("first", ANY, "A list of values: the first that gives something."),
        key("if", Kind::Source, "Whether this is true: neither absent nor empty nor false."),
        key("equals", Kind::Template, "Whether `from` is this, without regard to case. Unknown when either is missing."),
        key("then", Kind::Template, "With `if` and `equals`: the value when it holds."),
        key("else", Kind::Template, "The value when it does not."),
        key("key", Kind::Source, "Look up: what to look for, for instance a queue's id."),
        key("in", Kind::Source, "Look up: the list to look through."),
        key("by", Kind::Path, "Look up: the field of its entries to compare."),
        key("take", Kind::Path, "Look up: the field of the entry to give."),
        key(
            "time",
            Kind::Time,
            "For times: how it is written. A time without a zone takes that of `naive:ZONE`, for instance `naive:Europe/Berlin`.",
        )
        .default("`\"rfc3339\"`"),
    ],
    reserved: &[],
};
