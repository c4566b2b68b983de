//! The greeting, and the bot that answers before people do.

use super::super::desk::outbound;
use super::super::desk::{Author, Status};
use super::super::faults::Fault;
use super::super::world::World;
use super::agents_available;
use super::lines::{self, has_agent};
use std::sync::Arc;

/// Words by which a visitor asks for a person.
const PEOPLE: &[&str] = &["person", "people", "human", "agent"];

fn asks_for_a_person(text: &str) -> bool {
    text.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|word| PEOPLE.contains(&word))
}

/// True when a bot has new conversations first.
pub(crate) fn comes_first(world: &World) -> bool {
    world.chat.has_bot || world.switches.on(Fault::BotNeverHandsOver)
}

/// Greets, and lets bot or agent take the conversation.
pub(crate) fn greet(world: &Arc<World>, conversation: String, ticket: u64, first: String) {
    let job = world.clone();
    world.spawn(async move {
        tokio::time::sleep(job.pace.between(20, 200)).await;
        // Who finds nobody there is forgotten, whoever comes later.
        let served = agents_available(&job) > 0;
        if !job.switches.on(Fault::AckConditionBroken) {
            let name = if job.switches.on(Fault::AckPlaceholderRaw) { " {{visitor.name}}" } else { "" };
            let words = format!("{}{name} {}", job.style.tongue.chat_greeting, job.style.tongue.promise);
            lines::add(&job, &mut job.desk(), &conversation, Author::System, words);
        }
        if comes_first(&job) {
            hear(&job, conversation, first);
        } else if served {
            outbound::call_agent(&job, ticket);
        }
    });
}

/// Lets the bot hear a line of the visitor; it answers after a while, where it has the conversation.
pub(crate) fn hear(world: &Arc<World>, conversation: String, text: String) {
    let job = world.clone();
    world.spawn(async move {
        tokio::time::sleep(job.pace.between(40, 300)).await;
        if let Some(ticket) = answer(&job, &conversation, &text) {
            outbound::call_agent(&job, ticket);
        }
    });
}

/// The ticket, when it was handed over.
fn answer(world: &Arc<World>, conversation: &str, text: &str) -> Option<u64> {
    let mut desk = world.desk();
    let found = world.chat.book().conversation(conversation).cloned()?;
    let ticket = desk.live(found.ticket)?;
    let words = &world.chat.words;
    let turn = ticket.messages.iter().filter(|m| m.author == Author::Bot).count();
    let usual = words.bot_answers[turn % words.bot_answers.len()].to_owned();
    if ticket.status != Status::Bot {
        if has_agent(ticket) && world.switches.on(Fault::BotTalksOverAgent) {
            lines::add(world, &mut desk, conversation, Author::Bot, usual);
        }
        return None;
    }
    if !asks_for_a_person(text) {
        lines::add(world, &mut desk, conversation, Author::Bot, usual);
        return None;
    }
    lines::add(world, &mut desk, conversation, Author::Bot, words.bot_hands_over.to_owned());
    if world.switches.on(Fault::BotNeverHandsOver) {
        return None;
    }
    let now = world.clock.now();
    let ticket = desk.live(found.ticket)?;
    ticket.set_status(now, "bot", Status::New);
    let id = ticket.id;
    lines::show_to_agents(world, &mut desk, &found);
    drop(desk);
    world.touch();
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::asks_for_a_person;

    #[test]
    fn a_person_is_asked_for_by_a_word_of_its_own() {
        assert!(asks_for_a_person("Can I talk to a person?") && asks_for_a_person("HUMAN please"));
        assert!(!asks_for_a_person("My personal parcel from the agency"));
    }
}
