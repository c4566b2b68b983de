//! Tables from `[desk]` to the parts of a step.

use super::{AWAIT, CHAT, CHAT_FAULTS, CREATE, ENTRY, Kind, LIMIT, MEANS, MESSAGE, PRESENCE, RECORD, Shape, TRANSPORTS, key};

/// Kinds of params.
pub const PARAM_KINDS: [&str; 4] = ["text", "int", "bool", "url"];
/// Ways to sign in.
pub const AUTH_KINDS: [&str; 6] = ["none", "basic", "header", "query", "bearer", "login"];
/// Places in which a search looks.
pub const VIEWS: [&str; 5] = ["normal", "suspended", "spam", "closed", "deleted"];
/// Result classes that a failure may be given.
pub const CLASSES: [&str; 5] = ["throttled", "unauthorised", "unavailable", "denied", "broken_contract"];
/// How an answer can be read.
pub const ANSWERS: [&str; 4] = ["json", "text", "html", "ignored"];
/// Fields that can be read again after a change.
pub const VERIFIED: [&str; 6] = ["status", "queue", "tags", "subject", "priority", "requester"];

/// The whole file.
pub static ROOT: Shape = Shape {
    name: "file",
    heading: "The file",
    doc: "A desk definition: how to find, read and answer tickets of one product over HTTP and JSON. It lies in `desks/ID.toml` beside `replypath.toml` and is named there by `use = \"ID\"`. A desk must have `[[find]]`, `[read]` and `[record]`; every other table adds a capability.",
    keys: &[
        key("desk", Kind::Table(&DESK), "What this definition is and where the API lives.").required(),
        key(
            "params",
            Kind::Keyed(&PARAM),
            "What a desk of `replypath.toml` has to give: `[params] url = { required = true, kind = \"url\" }`.",
        ),
        key(
            "auth",
            Kind::Keyed(&AUTH),
            "Ways to sign in: `[auth.NAME]`. The first whose `when` param is given is taken; a step can name another.",
        ),
        key("outcome", Kind::Table(&OUTCOME), "How failures of this API look, for all steps."),
        key("find", Kind::Tables(&FIND), "Ways to find the ticket of a run, tried in order; put the one without delay first.").required(),
        key(
            "read",
            Kind::Table(&READ),
            "Reads one ticket. Its first step asks for the ticket itself; 404 or 410 there means that the ticket does not exist.",
        )
        .required(),
        key("record", Kind::Table(&RECORD), "Which part of the answers of `[read]` is which field of a ticket.").required(),
        key("messages", Kind::Table(&MESSAGES), "Reads a ticket's messages. The first step with `rows` gives one row a message."),
        key("message", Kind::Table(&MESSAGE), "Which part of a row of `[messages]` is which field of a message."),
        key("history", Kind::Table(&HISTORY), "Reads what was changed on a ticket."),
        key("reply", Kind::Table(&REPLY), "Answers the customer in public."),
        key("note", Kind::Table(&ACT), "Writes an internal note, `${note.text}`."),
        key("close", Kind::Table(&ACT), "Closes a ticket."),
        key("delete", Kind::Table(&ACT), "Deletes a ticket."),
        key("move", Kind::Table(&ACT), "Moves a ticket to the queue `${queue}`."),
        key("mark", Kind::Table(&ACT), "Tags a ticket with `${tag}`, so that people and statistics can leave it out."),
        key(
            "health",
            Kind::Table(&HEALTH),
            "Proves that the API answers and knows the credentials; changes nothing. For `replypath doctor`.",
        ),
        key(
            "visit",
            Kind::Table(&LOOK_IN),
            "Opens the page that agents look at, as a person who looks in; changes nothing. Asked once when a request was lost: some desks fetch mail only when somebody opens a page.",
        ),
        key("presence", Kind::Table(&PRESENCE), "Says whether agents are available for chat."),
        key("chat", Kind::Table(&CHAT), "The visitor's side of live chat."),
        key("create", Kind::Tables(&CREATE), "Ways to write in without mail, by the desk's own API."),
        key("limit", Kind::Table(&LIMIT), "How many calls the desk takes."),
    ],
    reserved: &["visitor_view", "upload", "discover"],
};

pub static DESK: Shape = Shape {
    name: "desk",
    heading: "`[desk]`",
    doc: "What this definition is and where the API lives.",
    keys: &[
        key("format", Kind::Format, "The version of this language.").required(),
        key("id", Kind::Text, "Small letters, digits, `-` and `_`; the same as the file's name.").required(),
        key("title", Kind::Text, "The product's name for people.").default("the id"),
        key("base", Kind::Template, "The address below which paths are called. Params only, no secrets.").required(),
        key("hosts", Kind::Templates, "The only hosts to which requests and credentials may go: `\"host(${url})\"`, or a name with `:port`. A redirect, a next page or a file elsewhere is an error. No secrets.").required(),
        key("versions", Kind::Texts, "Versions of the product on which it was tried."),
        key("note", Kind::Text, "A remark for people."),
        key("unproven", Kind::Bool, "Never tried on the real product; lists and reports say so.").default("`false`"),
    ],
    reserved: &["grade", "roles", "limit", "cookies"],
};

pub static PARAM: Shape = Shape {
    name: "param",
    heading: "`[params.NAME]`",
    doc: "A value that `replypath.toml` gives under `[desks.KEY.params]`. In templates it is `${NAME}`, or `${params.NAME}` where a variable has the same name.",
    keys: &[
        key("required", Kind::Bool, "Must be given.").default("`false`"),
        key("secret", Kind::Bool, "Is never shown, and may come from the environment or a file.").default("`false`"),
        key(
            "kind",
            Kind::Word(&PARAM_KINDS),
            "Its type. A `url` is an http or https URL without user, password, query and fragment; a `/` at its end is dropped.",
        )
        .default("`\"text\"`"),
        key("doc", Kind::Text, "What it is, for people: `desk show` prints it."),
        key("default", Kind::Scalar, "Its value when none is given. Not for secrets."),
        key("pattern", Kind::Text, "A regular expression that it must match. Begin with `^` and end with `$` to match the whole."),
    ],
    reserved: &[],
};

pub static AUTH: Shape = Shape {
    name: "auth",
    heading: "`[auth.NAME]`",
    doc: "A way to sign in. Credentials go to `hosts` only. `basic` needs `user` and `password`, `header` and `query` need `name` and `value`, `bearer` needs `token`, `login` needs `login`, `name` and `value`.",
    keys: &[
        key("kind", Kind::Word(&AUTH_KINDS), "The way.").required(),
        key("when", Kind::Text, "A param: this way is taken only when it is given."),
        key("user", Kind::Template, "`basic`: the user name."),
        key("password", Kind::Template, "`basic`: the password."),
        key("name", Kind::Text, "`header`, `query`, `login`: the name of the header or query parameter."),
        key(
            "value",
            Kind::Template,
            "`header`, `query`, `login`: its value, for instance `\"token ${token}\"`, or `\"Bearer ${login.token}\"`.",
        ),
        key("token", Kind::Template, "`bearer`: what follows `Authorization: Bearer`."),
        key(
            "login",
            Kind::Table(&STEP),
            "`login`: the call that signs in. Its picks are `${login.NAME}` in `value`; name them under `secret`. It is made once, and again when the desk refuses what it gave.",
        ),
    ],
    reserved: &["step", "persist", "valid_for", "renew_on", "limit", "send", "logout"],
};

pub static OUTCOME: Shape = Shape {
    name: "outcome",
    heading: "`[outcome]`",
    doc: "How failures look. Without a rule 401 is `unauthorised`, 403 `denied`, 429 `throttled`, 404 and 410 are `gone`, 408 and 5xx `unavailable`, everything else that is no success `broken_contract`. A rule with `when` is asked first, whatever the status.",
    keys: &[
        key("unauthorised", Kind::Table(&RULE), "The credentials are refused."),
        key("throttled", Kind::Table(&RULE), "Too many calls. `Retry-After` is always obeyed."),
        key("denied", Kind::Table(&RULE), "The desk refuses by policy: rights, captcha, a limit of open tickets."),
        key(
            "gone",
            Kind::Table(&RULE),
            "What was asked for does not exist. In the first step of `[read]`: no such ticket; elsewhere a broken contract.",
        ),
        key("unavailable", Kind::Table(&RULE), "The desk cannot answer now."),
        key("message", Kind::Path, "Where an answer says what is wrong, for people."),
        key("check", Kind::Path, "Must hold in every successful answer, else it is a broken contract."),
        key("fail", Kind::Fails, "Failures that a successful answer names: `no_rights = \"error == 'E42'\"`."),
    ],
    reserved: &["captcha", "conflict"],
};

pub static RULE: Shape = Shape {
    name: "rule",
    heading: "A rule of `[outcome]`",
    doc: "Tells one result class by status or by what the body says.",
    keys: &[
        key("status", Kind::Statuses, "Status codes that mean this."),
        key("when", Kind::Path, "A path that is true in the body of such an answer."),
        key("wait", Kind::Duration, "`throttled`: how long to wait when the desk sends no `Retry-After`."),
    ],
    reserved: &[],
};

pub static FAIL: Shape = Shape {
    name: "fail",
    heading: "A failure of `fail`",
    doc: "A failure that the body names although the status is a success. Just a path means the class `denied`.",
    keys: &[
        key("when", Kind::Path, "True when it happened.").required(),
        key("class", Kind::Word(&CLASSES), "Its result class.").default("`\"denied\"`"),
        key("fault", Kind::Word(&CHAT_FAULTS), "In `[chat]`: the fault that it points to. Customers meet it, so the probe fails."),
        key(
            "means",
            Kind::Word(&MEANS),
            "In `[[create]]`: what it says of the form. `rejected`: what was written is not taken; `expired`: what came with the form ran out; `disabled`: it is switched off; `mx` and `captcha` concern probes only, so the stage is unknown.",
        )
        .default("`\"rejected\"`"),
    ],
    reserved: &[],
};

pub static FIND: Shape = Shape {
    name: "find",
    heading: "`[[find]]`",
    doc: "One way to find tickets. Its last step has `rows` and `match`. An empty answer counts as \"not there\" only when every way of the view answered properly.",
    keys: &[
        key("id", Kind::Text, "Its name in evidence.").default("`find` and its number"),
        key("view", Kind::Word(&VIEWS), "Where it looks.").default("`\"normal\"`"),
        key("includes", Kind::Words(&VIEWS), "Other views that this search covers as well."),
        key("lag", Kind::Text, "How fresh it is: `\"none\"`, `\"async\"` or a duration. For people; replypath polls anyway."),
        key("step", Kind::Tables(&STEP), "Its calls.").required(),
    ],
    reserved: &["limit", "source"],
};

pub static READ: Shape =
    Shape { name: "read", heading: "`[read]`", doc: "Reads one ticket, `${id}`.", keys: STEPS, reserved: &["limit", "reversible"] };

pub static MESSAGES: Shape = Shape {
    name: "messages",
    heading: "`[messages]`",
    doc: "Reads a ticket's messages. Its steps may use those of `[read]` by name; these are then taken first.",
    keys: STEPS,
    reserved: &["limit", "reversible"],
};

pub static ACT: Shape = Shape {
    name: "act",
    heading: "`[note]`, `[close]`, `[delete]`, `[move]`, `[mark]`",
    doc: "A change of a ticket. It is done only on a ticket that carries the run's token and whose requester is the probe's own customer, read again right before; so `requester` must be mapped. Marking as spam is refused: desks block the customer for it.",
    keys: STEPS,
    reserved: &["limit", "reversible"],
};

pub static LOOK_IN: Shape = Shape {
    name: "visit",
    heading: "`[visit]`",
    doc: "Opens the page that agents look at, once, with the credentials. What it shows is not read: `as = \"ignored\"`.",
    keys: STEPS,
    reserved: &["limit", "reversible"],
};

const STEPS: &[super::Key] = &[key("step", Kind::Tables(&STEP), "Its calls, in order.").required()];

pub static HISTORY: Shape = Shape {
    name: "history",
    heading: "`[history]`",
    doc: "Reads what was changed on a ticket. The first step with `rows` gives one row a change.",
    keys: &[
        key("step", Kind::Tables(&STEP), "Its calls, in order.").required(),
        key("entry", Kind::Table(&ENTRY), "Which part of a row is which field of a change.").required(),
    ],
    reserved: &["limit", "reversible"],
};

pub static REPLY: Shape = Shape {
    name: "reply",
    heading: "`[reply]`",
    doc: "Answers the customer in public. Guarded as every change is.",
    keys: &[
        key("step", Kind::Tables(&STEP), "Its calls, in order. An upload before the answer says `prepares = true`.").required(),
        key("message_id", Kind::Value(&[]), "The Message-ID of the mail that the desk sends, where the answer tells it."),
    ],
    reserved: &["limit", "reversible"],
};

pub static HEALTH: Shape = Shape {
    name: "health",
    heading: "`[health]`",
    doc: "Proves that the API answers and knows the credentials.",
    keys: &[
        key("step", Kind::Tables(&STEP), "Its calls, in order.").required(),
        key("say", Kind::Templates, "What to tell people; a line in which a value is missing is left out."),
    ],
    reserved: &["limit", "reversible"],
};

pub static STEP: Shape = Shape {
    name: "step",
    heading: "A step: `[[find.step]]`, `[[read.step]]`, …",
    doc: "One HTTP call. Values in a path are encoded as one segment each. A GET follows redirects within its host; a call that changes something is never repeated.",
    keys: &[
        key("id", Kind::Text, "Its name, by which later steps and mappings use its answer: `NAME:path`.").default("`step` and its number"),
        key("get", Kind::Template, "The path to GET, below `base`: `\"/tickets/${id}\"`. A step has one of these ten keys."),
        key("post", Kind::Template, "The path to POST to."),
        key("put", Kind::Template, "The path to PUT to."),
        key("patch", Kind::Template, "The path to PATCH."),
        key("delete", Kind::Template, "The path to DELETE."),
        key("get_url", Kind::Template, "A whole URL, for instance one from an answer. Its host must be among `hosts`."),
        key("post_url", Kind::Template, "As `get_url`, for POST."),
        key("put_url", Kind::Template, "As `get_url`, for PUT."),
        key("patch_url", Kind::Template, "As `get_url`, for PATCH."),
        key("delete_url", Kind::Template, "As `get_url`, for DELETE."),
        key("query", Kind::Pairs, "Query parameters. A list of pairs keeps order and allows repeated keys."),
        key(
            "language",
            Kind::Languages,
            "For a query parameter whose value is a query language: every template in it must end with that quoting filter.",
        ),
        key("headers", Kind::Pairs, "Further request headers."),
        key("body", Kind::Table(&BODY), "What is sent."),
        key("auth", Kind::Text, "The `[auth.NAME]` to sign in with, or `\"none\"`.").default("the one that the params choose"),
        key("status", Kind::Statuses, "Status codes that are a success.").default("200 to 299"),
        key("as", Kind::Word(&ANSWERS), "How the answer is read. An answer that is not what is said here is a broken contract.")
            .default("`\"json\"`"),
        key(
            "select",
            Kind::Selectors,
            "With `as = \"html\"`: `select = { queues = \"select[name=queue] option\" }` makes the answer `{ queues: […] }`, with an object for each element that the CSS selector finds: its attributes, and its `text`.",
        ),
        key(
            "pick",
            Kind::Picks,
            "Values of the answer for later templates: `pick = { uid = \"users[0].id\" }` gives `${STEP.uid}`. `header:NAME` takes a header, `regex:PATTERN` the first group of a pattern in an answer that is text. A missing one is a broken contract.",
        ),
        key("pick_optional", Kind::Picks, "As `pick`, but may be missing."),
        key("secret", Kind::Texts, "Names of picks that are never shown."),
        key(
            "rows",
            Kind::Path,
            "Where the list is; `\"@\"` when the answer is the list. A missing list is a broken contract, never an empty one. The step's answer is then the list.",
        ),
        key("keep", Kind::Path, "Of the rows, those for which this path is true."),
        key(
            "trail",
            Kind::Path,
            "With `keep`: of the other rows, those that belong to the kept row before them. A mapping sees them as `trail:`.",
        ),
        key("match", Kind::Table(&MATCH), "`[[find]]`: which rows are the ticket that is looked for."),
        key("page", Kind::Table(&PAGE), "How further pages of the list are got."),
        key("when", Kind::Text, "Take the step only when this name or template has a value that is not empty and not false."),
        key("unless", Kind::Text, "Take the step only when it has none."),
        key("optional", Kind::Bool, "A failure of this step does not end the operation; its answer is then missing.").default("`false`"),
        key(
            "each",
            Kind::Text,
            "Once for each row of a step (`\"STEP\"`, `\"STEP:path\"`) or for each file of a reply or form (`\"files\"`); the element is `${item}`.",
        ),
        key("max", Kind::Number(1, 1000), "With `each`: more elements than this are a broken contract.").default("`50`"),
        key(
            "cache",
            Kind::Duration,
            "A GET only: how long its answer is taken as known. For names of queues and the like, never for the ticket itself.",
        ),
        key("empty_if", Kind::Path, "True when a proper answer says \"nothing there\": `\"!items\"` where an empty list is left out."),
        key("empty_status", Kind::Statuses, "Status codes that say \"nothing there\"."),
        key("check", Kind::Path, "Must hold in the answer, else it is a broken contract."),
        key("fail", Kind::Fails, "As in `[outcome]`, for this step."),
        key("verify", Kind::Table(&VERIFY), "Read the ticket again after the change: for desks whose success proves nothing."),
        key("prepares", Kind::Bool, "A writing call that by itself changes nothing at the ticket: an upload.").default("`false`"),
        key("reads", Kind::Bool, "A POST that only reads: a search.").default("`true` in `[[find]]`, else `false`"),
        key("transport", Kind::Words(&TRANSPORTS), "In `[chat]`: take the step only with these transports.").default("every transport"),
        key(
            "else",
            Kind::Word(&CHAT_FAULTS),
            "In `[chat]`: the fault that it points to when this step does not get its answer. Customers meet it, so the probe fails.",
        ),
        key(
            "send",
            Kind::Json,
            "In `[chat]`, instead of a call: what to send on the visitor's socket. With ActionCable an action to perform.",
        ),
        key("await", Kind::Table(&AWAIT), "In `[chat]`: what must then come on the socket. Can stand without `send`."),
    ],
    reserved: &["form", "submit", "fill", "cookies", "redirect", "always", "limit"],
};

pub static MATCH: Shape = Shape {
    name: "match",
    heading: "`match`",
    doc: "Which rows are meant; compared by replypath without regard to case. Without `field` every row counts: only for searches that compared the token themselves.",
    keys: &[
        key("field", Kind::Paths, "Where the text is; with several, any of them."),
        key("contains", Kind::Template, "What must stand in it: `\"${token}\"`."),
        key("created", Kind::Path, "When the ticket was made: rows older than the run are left out."),
        key("time", Kind::Time, "How `created` is written.").default("`\"rfc3339\"`"),
        key("id", Kind::Path, "The ticket's id.").default("`id`"),
        key("number", Kind::Path, "The number that people know.").default("the id"),
        key("hold_cause", Kind::Path, "Why the desk keeps it in this view."),
    ],
    reserved: &[],
};

pub static PAGE: Shape = Shape {
    name: "page",
    heading: "`page`",
    doc: "One way to go on and how far. When there are more pages than `max` and nothing was found, the result is a broken contract: what was not seen proves nothing.",
    keys: &[
        key("max", Kind::Number(1, 100), "How many pages may be read.").required(),
        key("next_url", Kind::Path, "Where the answer has the URL of the next page."),
        key("link_header", Kind::Bool, "`true`: a `Link` header with `rel=\"next\"` (RFC 8288)."),
        key("cursor", Kind::Path, "Where the answer has the cursor of the next page; with `param`."),
        key("param", Kind::Text, "With `cursor`: the query parameter that takes it."),
        key("number", Kind::Text, "The query parameter that takes the page's number."),
        key("from", Kind::Number(0, 1), "With `number`: the number of the first page.").default("`1`"),
        key("offset", Kind::Text, "The query parameter that takes how many rows to skip; with `size`."),
        key(
            "size",
            Kind::Number(1, 10_000),
            "Rows of a full page: fewer mean the last one. Left out with `number`, pages are read until one is empty.",
        ),
        key(
            "last_from_count",
            Kind::Path,
            "For lists that are oldest first: where the answer has the number of all rows; with `number` and `size`. The last pages are read.",
        ),
        key("newest_first", Kind::Bool, "Rows come newest first: one older than the run ends the search. Needs `created` in `match`.")
            .default("`false`"),
    ],
    reserved: &["range"],
};

pub static BODY: Shape = Shape {
    name: "body",
    heading: "`body`",
    doc: "What is sent: one of `json`, `form`, `multipart`, `raw`, `text`.",
    keys: &[
        key("json", Kind::Json, "Any TOML value. Strings are templates; one that is exactly one template keeps its type."),
        key("form", Kind::Pairs, "An HTML form's fields, URL-encoded."),
        key("multipart", Kind::Pairs, "An HTML form's fields as `multipart/form-data`."),
        key("files", Kind::Text, "With `multipart`: the field under which each file of the reply or form is sent."),
        key("raw", Kind::Template, "Bytes: `\"${item.bytes}\"`."),
        key("text", Kind::Template, "Plain text."),
        key("type", Kind::Template, "With `raw` and `text`: the Content-Type."),
    ],
    reserved: &[],
};

pub static EACH: Shape = Shape {
    name: "each",
    heading: "`$each` in a JSON body",
    doc: "A list with one element for each row or file.",
    keys: &[
        key("$each", Kind::Text, "`\"files\"`, `\"STEP\"` or `\"STEP:path\"`.").required(),
        key("$as", Kind::Json, "What each element becomes; `${item}` is the element. With `$key` and `$value` the whole is an object.")
            .required(),
        key("$omit_empty", Kind::Bool, "Leave the key out when there is no element.").default("`false`"),
    ],
    reserved: &[],
};

pub static PAIR: Shape = Shape {
    name: "pair",
    heading: "`$key` and `$value` inside `$as`",
    doc: "One name and value of an object.",
    keys: &[key("$key", Kind::Template, "The name.").required(), key("$value", Kind::Json, "The value.").required()],
    reserved: &[],
};

pub static LIST: Shape = Shape {
    name: "list",
    heading: "`$list` in a JSON body",
    doc: "A list of an earlier answer, as it stands.",
    keys: &[
        key("$list", Kind::Source, "`step:path`.").required(),
        key("$omit_empty", Kind::Bool, "Leave the key out when the list is empty.").default("`false`"),
    ],
    reserved: &[],
};

pub static VERIFY: Shape = Shape {
    name: "verify",
    heading: "`verify`",
    doc: "What the ticket must say when it is read again.",
    keys: &[
        key("read", Kind::Word(&VERIFIED), "The field of `[record]`.").required(),
        key("is", Kind::Template, "What it must be; for `tags`: what must be among them.").required(),
    ],
    reserved: &[],
};
