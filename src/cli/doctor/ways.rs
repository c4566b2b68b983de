//! Visits to forms and chats: the page is opened, and nothing is submitted or said.

use super::{Complaint, Visits};
use crate::cli::assemble::Outside;
use crate::config::Config;
use crate::engine::ways::{Customer, FormOrder, Stop};
use crate::model::{Account, Channel, ChatBy, ChatChannel, Fill, FormBy, FormChannel, Probe, RunId, Token};
use std::collections::BTreeSet;

/// Stands where a run would have its token.
const NO_TOKEN: &str = "rpdoctor";

impl From<Stop> for Complaint {
    fn from(stop: Stop) -> Complaint {
        let message = match stop.advice {
            Some(advice) => format!("{}; {advice}", stop.found),
            None => stop.found,
        };
        Complaint { fault: stop.faults.first().copied().unwrap_or("unknown"), message }
    }
}

/// Begins a visit to each form and chat of the probes. What several probes share is visited once.
pub(super) fn visit(config: &Config, outside: &Outside, visits: &mut Visits) {
    let mut known = BTreeSet::new();
    for probe in config.probes.values() {
        let Some(account) = config.accounts.get(&probe.account) else { continue };
        match &probe.channel {
            Channel::Email(_) => {}
            Channel::Form(form) => {
                let place = form_place(form, probe);
                if known.insert(place.clone()) {
                    let (forms, order) = (outside.forms.clone(), order(form, probe, account));
                    visits.begin(place, async move { forms.doctor(&order).await });
                }
            }
            Channel::Chat(chat) => {
                let place = chat_place(chat, probe);
                if known.insert(place.clone()) {
                    let (chats, probe) = (outside.chats.clone(), probe.clone());
                    visits.begin(place, async move { chats.doctor(&probe).await });
                }
            }
        }
    }
}

fn form_place(form: &FormChannel, probe: &Probe) -> String {
    let page = form.page.as_deref().unwrap_or_default();
    match &form.by {
        FormBy::Page => format!("form at {page}"),
        FormBy::Browser { .. } => format!("form at {page} in Chromium"),
        FormBy::Recipe(id) => format!("form `{id}` of desk {}", probe.desk.as_deref().unwrap_or_default()),
    }
}

fn chat_place(chat: &ChatChannel, probe: &Probe) -> String {
    match &chat.by {
        ChatBy::Desk => format!("chat of desk {}", probe.desk.as_deref().unwrap_or_default()),
        ChatBy::Widget(_) => format!("chat at {} in Chromium", chat.page.as_deref().unwrap_or_default()),
    }
}

/// The order of a run that never begins: every word of its texts is filled with something.
fn order(form: &FormChannel, probe: &Probe, account: &Account) -> FormOrder {
    let plain = |text: &str| {
        let text = text.replace("${subject}", &form.subject).replace("${text}", &form.text);
        text.replace("${token}", NO_TOKEN)
            .replace("${run}", NO_TOKEN)
            .replace("${customer}", &account.display_name)
            .replace("${address}", &account.address)
    };
    let mut filled = form.clone();
    filled.subject = plain(&form.subject);
    filled.text = plain(&form.text);
    for field in &mut filled.fields {
        match &mut field.fill {
            Fill::Write(text) | Fill::Choose(text) => *text = plain(text),
            Fill::Tick(_) => {}
        }
    }
    FormOrder {
        run: RunId("doctor".to_owned()),
        probe: probe.name.clone(),
        desk: probe.desk.clone(),
        customer: Customer { address: account.address.clone(), name: account.display_name.clone() },
        form: filled,
        token: Token(NO_TOKEN.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_order_of_a_visit_holds_no_template() {
        let mut form = sample::form();
        form.text = "${run} ${token} ${customer} ${address}".to_owned();
        form.fields[0].fill = Fill::Write("${subject} / ${text}".to_owned());
        let order = order(&form, &sample::probe("x"), &sample::account("alice"));
        let Fill::Write(text) = &order.form.fields[0].fill else { panic!() };
        assert_eq!(text, "Invoice rpdoctor / rpdoctor rpdoctor Alice alice@mail.test");
        assert!(!format!("{order:?}").contains("${"), "{order:?}");
    }

    #[test]
    fn a_place_says_how_it_is_visited() {
        let (mut form, probe) = (sample::form(), sample::probe("x"));
        assert_eq!(form_place(&form, &probe), "form at https://shop.test/contact");
        form.by = FormBy::Recipe("web".to_owned());
        assert_eq!(form_place(&form, &probe), "form `web` of desk rt");
        assert_eq!(chat_place(&sample::chat(), &probe), "chat of desk rt");
    }
}
