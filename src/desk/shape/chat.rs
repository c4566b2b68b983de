//! Tables of the visitor's side of live chat.

use super::{FILES, Kind, STEP, Shape, key};

const ANY: Kind = Kind::Value(&[]);

/// How a visitor's lines and those of the desk travel.
pub const TRANSPORTS: [&str; 5] = ["http", "long-poll", "sse", "json-events", "actioncable"];
/// Those that push.
pub const PUSHING: [&str; 4] = ["long-poll", "sse", "json-events", "actioncable"];
/// Who may say a line.
pub const SPEAKERS: [&str; 4] = ["visitor", "agent", "bot", "system"];
/// For whom a limit of new conversations counts.
pub const LIMIT_SCOPES: [&str; 2] = ["address", "visitor"];
/// Faults that a step of `[chat]` may point to.
pub const CHAT_FAULTS: [&str; 9] = [
    "chat-not-offered",
    "chat-widget-down",
    "chat-server-error",
    "chat-socket-silent",
    "chat-offered-with-no-agent",
    "chat-prechat-dead-end",
    "chat-offline-note-nowhere",
    "chat-attachment-not-transferred",
    "chat-history-lost-on-return",
];

/// `[presence]`.
pub static PRESENCE: Shape = Shape {
    name: "presence",
    heading: "`[presence]`",
    doc: "Says whether agents are available for chat, as the desk itself counts them. Changes nothing.",
    keys: &[
        key("step", Kind::Tables(&STEP), "Its calls, in order.").required(),
        key(
            "available",
            Kind::Source,
            "`step:path` of what tells it: true, a number above 0, or a list that is not empty. Absent: the desk does not tell.",
        )
        .required(),
    ],
    reserved: &[],
};

/// `[chat]`.
pub static CHAT: Shape = Shape {
    name: "chat",
    heading: "`[chat]`",
    doc: "The visitor's side of live chat. Its calls go out without the credentials of the agent: who the visitor is stands in `headers`, `cookies` and what `identity` names.",
    keys: &[
        key(
            "transport",
            Kind::Template,
            "How lines travel: `http` (asked for again and again, no push), `long-poll`, `sse`, `json-events` (a WebSocket with JSON objects that name their event) or `actioncable`. A param may choose: `\"${chat_transport}\"`.",
        )
        .default("`\"http\"`"),
        key(
            "identity",
            Kind::Texts,
            "Names of picks (`STEP.NAME`) that make the visitor the visitor. They are stored encrypted, never shown, and are variables in every step of `[chat]`.",
        ),
        key("conversation", Kind::Text, "The pick that is the conversation's id: `\"STEP.NAME\"`; later `${conversation}`."),
        key("visitor", Kind::Text, "The pick that is the visitor's id as agents may see it; later `${visitor}`. Not a secret."),
        key("headers", Kind::Pairs, "Request headers of every call and socket of the visitor. A value that is missing leaves its header out when it ends with `|omit_empty`."),
        key("cookies", Kind::Bool, "Keep cookies, for this visitor alone (RFC 6265).").default("`false`"),
        key("every", Kind::Duration, "How often the stored conversation is read while somebody waits and nothing can be pushed.").default("`\"3s\"`"),
        key("limit", Kind::Table(&CHAT_LIMIT), "How many conversations the desk lets one visitor or address begin."),
        key(
            "frame",
            Kind::Template,
            "The address of the widget's frame. Its X-Frame-Options (RFC 7034) and `frame-ancestors` (Content Security Policy) must let the probe's `page` show it.",
        ),
        key("offer", Kind::Table(&CHAT_OFFER), "Sees whether chat is offered. Changes nothing."),
        key("begin", Kind::Table(&CHAT_ACT), "Begins a conversation with the line `${text}`.").required(),
        key("say", Kind::Table(&CHAT_ACT), "Says the line `${text}`.").required(),
        key("history", Kind::Table(&CHAT_HISTORY), "Reads the stored conversation. The first step with `rows` gives one row a line."),
        key("line", Kind::Table(&CHAT_LINE), "Which part of a row is which field of a line."),
        key("push", Kind::Tables(&CHAT_PUSH), "How lines are pushed to the visitor: one `[[chat.push]]` for each transport that pushes."),
        key("agents", Kind::Table(&CHAT_PUSH), "How the desk tells its agents of conversations and lines. Without it nobody can see whether they are told."),
        key("resume", Kind::Table(&CHAT_ACT), "What a reload of the page asks for: gives the conversation again."),
        key("offline", Kind::Table(&CHAT_ACT), "Leaves the message `${text}` when no chat is offered."),
        key("leave", Kind::Table(&CHAT_ACT), "Ends the conversation from the visitor's side."),
    ],
    reserved: &["typing", "survey"],
};

/// `limit`.
pub static CHAT_LIMIT: Shape = Shape {
    name: "chat_limit",
    heading: "`[chat] limit`",
    doc: "How many conversations may be begun in a time. One more is not tried; the run ends as unknown.",
    keys: &[
        key("count", Kind::Number(1, 10_000), "How many.").required(),
        key("per", Kind::Duration, "In which time.").required(),
        key("scope", Kind::Word(&LIMIT_SCOPES), "For whom the desk counts them.").default("`\"address\"`"),
    ],
    reserved: &[],
};

/// `[chat.offer]`.
pub static CHAT_OFFER: Shape = Shape {
    name: "chat_offer",
    heading: "`[chat.offer]`",
    doc: "What a visitor's page asks before it shows the chat button.",
    keys: &[
        key("step", Kind::Tables(&STEP), "Its calls, in order.").required(),
        key(
            "offered",
            Kind::Text,
            "A pick or template that says whether chat is offered: `\"STEP.NAME\"`. Missing: the desk does not tell.",
        ),
        key(
            "questions",
            Kind::Source,
            "`step:path` of the keys of the questions that must be answered before the chat. One without an answer in the probe's `prechat` is told before the chat begins.",
        ),
        key("answered", Kind::Texts, "Keys of questions that `[chat.begin]` answers by itself, for instance from `${customer.name}`."),
    ],
    reserved: &[],
};

/// `[chat.begin]` and its like.
pub static CHAT_ACT: Shape = Shape {
    name: "chat_act",
    heading: "`[chat.begin]`, `[chat.say]`, `[chat.resume]`, `[chat.offline]`, `[chat.leave]`",
    doc: "What a visitor does. A step that writes is never repeated. An upload before the line says `prepares = true`. A step with `send` or `await` speaks on the visitor's socket, which is opened for it.",
    keys: &[key("step", Kind::Tables(&STEP), "Its steps, in order.").required()],
    reserved: &["limit"],
};

/// `[chat.history]`.
pub static CHAT_HISTORY: Shape = Shape {
    name: "chat_history",
    heading: "`[chat.history]`",
    doc: "Reads the stored conversation as a visitor who comes back sees it.",
    keys: &[
        key("step", Kind::Tables(&STEP), "Its calls, in order.").required(),
        key("ended", Kind::Text, "A pick or template that is true when the desk has ended the conversation: `\"STEP.NAME\"`."),
    ],
    reserved: &[],
};

/// `[chat.line]`.
pub static CHAT_LINE: Shape = Shape {
    name: "chat_line",
    heading: "`[chat.line]`",
    doc: "The fields of a line. A path without a step reads the row in hand, stored or pushed.",
    keys: &[
        key("id", ANY, "The line's id. With it a pushed line is known again among the stored ones; else its text is compared."),
        key("speaker", Kind::Value(&SPEAKERS), "Who says it."),
        key("text", ANY, "Its plain text. Made from the HTML when it has none."),
        key("html", ANY, "Its HTML."),
        key("at", ANY, "When it was said; a table has `time` beside the value."),
        key("files", Kind::Table(&FILES), "Its files, fetched as the visitor."),
    ],
    reserved: &[],
};

/// `[[chat.push]]` and `[chat.agents]`.
pub static CHAT_PUSH: Shape = Shape {
    name: "chat_push",
    heading: "`[[chat.push]]`, `[chat.agents]`",
    doc: "A way on which events come by themselves. A frame is: with `sse` an object of `event`, `id` and `data` (as JSON where it is JSON); with `json-events` an object, or each object of a list; with `actioncable` what stands in `message`; with `long-poll` a row. The whole is followed from the opening to the end of the run, and opened again when it breaks.",
    keys: &[
        key("transport", Kind::Word(&PUSHING), "With which transport it is used. One of `[chat.agents]` is used with every transport of the visitor.").required(),
        key("open", Kind::Table(&STEP), "The call that opens it. A WebSocket is opened with `get_url`; `ws:` and `wss:` may be written. With `long-poll` it is called again and again; `rows` says where the frames are.").required(),
        key("wait", Kind::Duration, "`long-poll`: how long the desk may keep the call open, at most 60 s; `${wait}` in seconds, `${wait_ms}` in milliseconds, 0 in the first call.").default("`\"25s\"`"),
        key("cursor", Kind::Text, "`long-poll`: the pick of `open` that says where the next call goes on; `${cursor}`, missing in the first call."),
        key("subscribe", Kind::Json, "`actioncable`: the identifier of the subscription."),
        key("hello", Kind::Json, "`json-events`: sent whenever the socket has opened after the conversation began."),
        key("when", Kind::Path, "Which frames are lines (or, for agents, tell of the conversation).").default("every frame"),
        key("row", Kind::Path, "Where the line is in such a frame.").default("`@`"),
        key("conversation", Kind::Path, "Where a frame names its conversation; frames of others are left out."),
        key("line", Kind::Table(&CHAT_LINE), "How a pushed line is read, where it is not as `[chat.line]` says."),
        key("ended", Kind::Path, "Which frames say that the desk has ended the conversation."),
        key("keepalive", Kind::Table(&KEEPALIVE), "What to send so that the desk does not close it."),
        key("silence", Kind::Duration, "Without any sign of life for this long it counts as broken.").default("`\"60s\"`; `\"12s\"` with `actioncable`, whose server pings every 3 s"),
    ],
    reserved: &[],
};

/// `keepalive`.
pub static KEEPALIVE: Shape = Shape {
    name: "keepalive",
    heading: "`keepalive`",
    doc: "A frame that is sent again and again. Without it a WebSocket is pinged every 20 s (RFC 6455 section 5.5.2).",
    keys: &[key("send", Kind::Json, "The frame.").required(), key("every", Kind::Duration, "How often.").default("`\"20s\"`")],
    reserved: &[],
};

/// `await`.
pub static AWAIT: Shape = Shape {
    name: "await",
    heading: "`await`",
    doc: "What must come on the visitor's socket before the next step. Frames that are not meant are passed over.",
    keys: &[
        key("when", Kind::Path, "Which frame is meant.").required(),
        key(
            "token",
            Kind::Path,
            "Where the frame must hold the token of the line that was sent, so that no other line's echo is taken for it.",
        ),
        key("check", Kind::Path, "Must hold in that frame, else the desk has refused."),
        key("pick", Kind::Picks, "Values of the frame for later templates: `${STEP.NAME}`."),
        key("pick_optional", Kind::Picks, "As `pick`, but may be missing."),
        key("secret", Kind::Texts, "Names of picks that must never be shown."),
        key("deadline", Kind::Duration, "How long to wait, at most 5 minutes.").default("`\"15s\"`"),
        key("fail", Kind::Fails, "Frames that say that the desk refuses: `throttled = { when = \"event == 'error' && data.code == `429`\", class = \"throttled\" }`."),
        key("else", Kind::Word(&CHAT_FAULTS), "The fault that it points to when other frames come and this one does not, or when it does not hold. Where nothing comes at all that is `chat-socket-silent`.").default("`\"chat-server-error\"`"),
    ],
    reserved: &[],
};
