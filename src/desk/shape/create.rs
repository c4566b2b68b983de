//! Tables of what customers do without mail.

use super::{Kind, Shape, key};

/// Whom a limit counts for.
pub const SCOPES: [&str; 4] = ["desk", "ip", "address", "account"];
/// What a named failure can say of a form.
pub const MEANS: [&str; 5] = ["rejected", "mx", "captcha", "expired", "disabled"];

/// `[[create]]`.
pub static CREATE: Shape = Shape {
    name: "create",
    heading: "`[[create]]`",
    doc: "A way to write in without mail, by the desk's own API: what a probe names by `[form] recipe = \"ID\"`. The steps before the first one that writes or prepares get the form ready and may be taken more than once; the others are taken once. An answer that is not what a step says fails the stage, because customers meet the same; what only a probe meets (a captcha, an MX check, a limit) makes it unknown.",
    keys: &[
        key("id", Kind::Text, "Its name.").required(),
        key("auth", Kind::Text, "The `[auth.NAME]` of its steps. Customers have none.").default("`\"none\"`"),
        key(
            "needs",
            Kind::Texts,
            "What the desk asks of the sender: `\"mx(${customer.email})\"`, an MX record of the domain. Told by `doctor`.",
        ),
        key("limit", Kind::Table(&LIMIT), "How often the desk lets somebody write in."),
        key(
            "cors",
            Kind::Bool,
            "The calls are made as by a browser on the probe's page: with its rules for other origins, preflight included. A refusal is `form-cors-refused`.",
        )
        .default("`false`"),
        key("step", Kind::Tables(&super::STEP), "Its calls, in order.").required(),
        key("fields", Kind::Table(&DESCRIBED), "Where the desk describes the form's fields."),
        key("number", Kind::Value(&[]), "The ticket's number or id, where an answer tells it."),
        key("thanks", Kind::Value(&[]), "The words of thanks, where an answer has them."),
    ],
    reserved: &["visitor", "page", "dwell"],
};

/// `[create.fields]`.
pub static DESCRIBED: Shape = Shape {
    name: "described",
    heading: "`[create.fields]`",
    doc: "For desks that describe their form: a list of fields. They are filled in by the probe's `fields` (by label, name, type or place) or else by what they ask for, and become `filled`, a list with `name` and `value`: `{ \"$each\" = \"filled\", \"$as\" = { \"$key\" = \"${item.name}\", \"$value\" = \"${item.value}\" } }`. They are compared with those of the last good run.",
    keys: &[
        key("each", Kind::Source, "The list.").required(),
        key("name", Kind::Path, "The name under which a field is sent.").required(),
        key("label", Kind::Path, "Its label, as people read it.").default("the name"),
        key("type", Kind::Path, "Its type, as HTML names it: `email`, `textarea`, `select`.").default("`text`"),
        key("required", Kind::Path, "Whether it must be filled in."),
        key("options", Kind::Path, "What can be chosen: texts, or objects with `value` and `label`."),
    ],
    reserved: &[],
};

/// A limit.
pub static LIMIT: Shape = Shape {
    name: "limit",
    heading: "`[limit]` and `limit`",
    doc: "How often something may be done. `[limit]` counts the calls of the API: `desk check` compares it with what an operation needs at worst. In `[[create]]` it counts requests: a schedule that breaks it is refused.",
    keys: &[
        key("count", Kind::Number(1, 1_000_000), "This many.").required(),
        key("per", Kind::Duration, "In this time.").required(),
        key(
            "scope",
            Kind::Word(&SCOPES),
            "For whom it counts: all that the desk gets, one network address, one customer's address, one set of credentials.",
        )
        .default("`\"desk\"`"),
    ],
    reserved: &[],
};
