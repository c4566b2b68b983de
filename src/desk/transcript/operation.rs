//! The operations that are recorded and played again, with what they are asked.

use crate::desk::create::RecipeForms;
use crate::desk::live::HttpDesk;
use crate::desk::set::DeskSet;
use crate::engine::ports::{Acted, Desk, Needle, Trouble};
use crate::engine::ways::{Customer, FormOrder, Forms, Stop};
use crate::model::{FormChannel, ReplyContent, RunId, Ticket, TicketRef, Token, View};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// One operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Operation {
    /// Proves login and rights.
    Health,
    /// Looks for a ticket.
    Find {
        /// Where.
        view: View,
        /// What.
        needle: Asked,
    },
    /// Reads a ticket.
    Read {
        /// Which.
        ticket: TicketRef,
    },
    /// Reads its messages.
    Messages {
        /// Of which.
        ticket: Box<Ticket>,
    },
    /// Reads what was changed on it.
    History {
        /// On which.
        ticket: TicketRef,
    },
    /// Answers it.
    Reply {
        /// Which.
        ticket: Box<Ticket>,
        /// With what.
        text: String,
    },
    /// Closes it.
    Close {
        /// Which.
        ticket: Box<Ticket>,
    },
    /// Writes in by a recipe.
    Create {
        /// What.
        form: Box<FormChannel>,
        /// From which address.
        address: String,
        /// By which name.
        name: String,
        /// With which token.
        token: String,
    },
}

/// What a search looks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The token.
    pub token: String,
    /// The subject.
    pub subject: String,
    /// The customer's address.
    pub address: String,
    /// Nothing older is meant.
    pub since: Timestamp,
}

impl Operation {
    /// A file's name, without its ending.
    pub fn name(&self) -> String {
        match self {
            Operation::Health => "health".to_owned(),
            Operation::Find { view, .. } => format!("find-{}", view.as_str()),
            Operation::Read { .. } => "read".to_owned(),
            Operation::Messages { .. } => "messages".to_owned(),
            Operation::History { .. } => "history".to_owned(),
            Operation::Reply { .. } => "reply".to_owned(),
            Operation::Close { .. } => "close".to_owned(),
            Operation::Create { .. } => "create".to_owned(),
        }
    }

    /// Does it at a desk; what comes of it as JSON, trouble included.
    pub(super) async fn run(&self, desk: Arc<HttpDesk>) -> Value {
        match self {
            Operation::Health => told(desk.health().await, |lines| json!({ "lines": lines })),
            Operation::Find { view, needle } => {
                let needle = Needle {
                    token: Token(needle.token.clone()),
                    subject: needle.subject.clone(),
                    address: needle.address.clone(),
                    since: needle.since,
                    conversation: None,
                    number: None,
                };
                told(desk.find(&needle, *view).await, |found| {
                    let row = |f: &crate::engine::ports::FoundTicket| json!({ "id": f.reference.id, "number": f.reference.number, "view": f.view, "strategy": f.strategy, "hold_cause": f.hold_cause });
                    json!({ "found": found.iter().map(row).collect::<Vec<_>>() })
                })
            }
            Operation::Read { ticket } => told(desk.read(ticket).await, |ticket| json!({ "ticket": ticket })),
            Operation::Messages { ticket } => told(desk.messages(ticket).await, |messages| json!({ "messages": messages })),
            Operation::History { ticket } => told(desk.history(ticket).await, |entries| json!({ "history": entries })),
            Operation::Reply { ticket, text } => {
                let content = ReplyContent { text: text.clone(), html: None, attachments: Vec::new() };
                acted(desk.reply(ticket, &content).await, |receipt| json!({ "done": true, "message_id": receipt.message_id }))
            }
            Operation::Close { ticket } => acted(desk.close(ticket).await, |()| json!({ "done": true })),
            Operation::Create { form, address, name, token } => {
                let order = FormOrder {
                    run: RunId("recording".to_owned()),
                    probe: "recording".to_owned(),
                    desk: Some("recorded".to_owned()),
                    customer: Customer { address: address.clone(), name: name.clone() },
                    form: FormChannel { dwell: Duration::ZERO, ..(**form).clone() },
                    token: Token(token.clone()),
                };
                let forms = RecipeForms::new(Arc::new(DeskSet::of("recorded", desk)));
                match create(&forms, &order).await {
                    Ok(answer) => answer,
                    Err(stop) => {
                        json!({ "stopped": stop.outcome, "faults": stop.faults, "found": stop.found, "no_effect": stop.no_effect })
                    }
                }
            }
        }
    }
}

async fn create(forms: &RecipeForms, order: &FormOrder) -> Result<Value, Stop> {
    let filled = forms.fill_in(order).await?;
    let print = filled.seen().print.clone();
    let thanks = filled.submit().await?;
    Ok(json!({ "print": print, "number": thanks.number, "thanks": thanks.text }))
}

fn trouble(trouble: &Trouble) -> Value {
    json!({ "class": trouble.class, "fault": trouble.fault, "message": trouble.message })
}

fn told<T>(result: Result<T, Trouble>, value: impl FnOnce(T) -> Value) -> Value {
    match result {
        Ok(found) => value(found),
        Err(failed) => json!({ "trouble": trouble(&failed) }),
    }
}

fn acted<T>(result: Result<T, Acted>, value: impl FnOnce(T) -> Value) -> Value {
    match result {
        Ok(done) => value(done),
        Err(Acted::NotDone(failed)) => json!({ "not_done": trouble(&failed) }),
        Err(Acted::Uncertain(failed)) => json!({ "uncertain": trouble(&failed) }),
    }
}
