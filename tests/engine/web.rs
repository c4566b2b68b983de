//! Forms and chats of the small world: a form that becomes a ticket, conversations that agents answer through the desk.

use crate::world::World;
use async_trait::async_trait;
use jiff::Timestamp;
use replypath::clock::Clock;
use replypath::engine::ports::MailEvent;
use replypath::engine::ways::*;
use replypath::model::*;
use std::sync::Arc;
use std::time::Duration;

/// What goes wrong with forms.
#[derive(Debug, Clone, Default)]
pub struct FormWeather {
    /// Filling in stops like this, so many times.
    pub page: Option<(Stop, usize)>,
    /// Whatever keeps the page away keeps the mailbox away too.
    pub page_cuts_network: bool,
    /// Submitting stops like this, so many times; true: the request becomes a ticket all the same.
    pub submit: Option<(Stop, bool, usize)>,
    /// Thanks, and throws the request away.
    pub discards: bool,
    /// No confirmation by mail.
    pub no_mail: bool,
    /// The confirmation names neither our token nor anything of ours but the ticket's number.
    pub plain_mail: bool,
    /// The ticket belongs to this address.
    pub requester: Option<String>,
    /// A field that the form has beside the usual ones.
    pub more: Option<String>,
}

/// What goes wrong with chats.
#[derive(Debug, Clone, Default)]
pub struct ChatWeather {
    /// The desk finds a chat by its conversation only.
    pub found_by_id: bool,
    /// No chat is offered.
    pub closed: bool,
    /// Chat is offered until a conversation has begun.
    pub closes_behind: bool,
    /// The desk refuses visitors of earlier runs.
    pub knows_nobody: bool,
    /// What the desk says of its agents.
    pub agents: Option<bool>,
    /// Opening the chat stops like this.
    pub offer: Option<Stop>,
    /// Beginning stops like this; true: the conversation begins all the same.
    pub begin: Option<(Stop, bool)>,
    /// A further line stops like this; true: it is said all the same.
    pub say: Option<(Stop, bool)>,
    /// No greeting.
    pub no_greeting: bool,
    /// Nothing is pushed to anybody.
    pub silent: bool,
    /// Agents' lines are not pushed to visitors.
    pub no_answer_push: bool,
    /// Agents' lines are not in the visitors' conversation.
    pub no_answer_stored: bool,
    /// Agents are not told of conversations.
    pub not_shown: bool,
    /// The agents' side is not listened to.
    pub agents_unheard: bool,
    /// The push path broke.
    pub broken: bool,
    /// The push path broke when the agent answered and is open again.
    pub reconnects: bool,
    /// The stored conversation cannot be read.
    pub unreadable: Option<Stop>,
    /// A bot has the conversation until it was asked so many times.
    pub bot_turns: Option<u32>,
    /// A bot answers every line, whoever has the conversation.
    pub bot_talks: bool,
    /// A reload finds nothing and begins anew.
    pub forgets: bool,
    /// Messages left while no chat is offered are thrown away.
    pub drops_notes: bool,
    /// Whoever opens the window sees every conversation.
    pub shown_to_all: bool,
    /// Agents' lines come twice.
    pub twice: bool,
    /// Files of the visitor (first) and of the agent (second) do not reach the other side.
    pub drops_files: (bool, bool),
}

/// A conversation.
#[derive(Debug, Clone)]
pub struct FakeChat {
    pub run: RunId,
    pub ticket: usize,
    pub lines: Vec<ChatLine>,
    /// Since when somebody listens; a new process must open it again.
    pub open: Option<Timestamp>,
    pub asked: u32,
}

/// What must not happen twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub submitted: usize,
    pub begun: usize,
    pub notes: usize,
    pub said: usize,
    pub left: usize,
    pub looks: usize,
    pub reloads: usize,
    pub strangers: usize,
}

/// The web of a world.
pub struct Web(pub Arc<World>);

impl World {
    fn message(&self, author: Author, text: &str, files: Vec<Attachment>) -> TicketMessage {
        TicketMessage {
            id: "m".into(),
            public: Some(true),
            author: Some(author),
            text: text.into(),
            html: None,
            at: Some(self.clock.now()),
            files,
            message_id: None,
            delivery: None,
        }
    }

    /// A line in a conversation; what is pushed wakes its run.
    fn line(&self, conversation: &str, speaker: Speaker, text: &str, files: Vec<Attachment>) {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        let weather = state.weather.chat.clone();
        let Some(chat) = state.chats.get_mut(conversation) else { return };
        let answer = speaker == Speaker::Agent;
        let pushes = !(weather.silent || weather.broken || answer && (weather.no_answer_push || weather.reconnects)) && chat.open.is_some();
        if answer && weather.reconnects {
            chat.open = Some(now + Duration::from_secs(1));
        }
        let shows = !(weather.silent || weather.not_shown || weather.agents_unheard);
        let line = ChatLine {
            id: Some(format!("l{}", chat.lines.len() + 1)),
            speaker: Some(speaker),
            text: text.into(),
            at: Some(now),
            pushed: pushes.then_some(now),
            stored: (!(answer && weather.no_answer_stored)).then_some(now),
            shown: (speaker == Speaker::Visitor && shows).then_some(now),
            files,
            tokens: self.key().recognise(text),
        };
        chat.lines.push(line);
        let run = chat.run.clone();
        if pushes && let Some(events) = &state.events {
            events.try_send(MailEvent::Moved { run }).expect("the queue is large enough");
        }
    }

    /// A person answers at the desk.
    pub fn person_answers(&self, conversation: &str, text: &str) {
        self.line(conversation, Speaker::Agent, text, Vec::new());
        let message = self.message(Author::Agent, text, Vec::new());
        let mut state = self.state.lock().unwrap();
        let ticket = state.chats[conversation].ticket;
        state.tickets.iter_mut().filter(|t| t.id == ticket).for_each(|t| t.messages.push(message.clone()));
    }

    /// An agent answers at the desk.
    pub fn agent_says(&self, conversation: &str, content: &ReplyContent) {
        let dropped = self.state.lock().unwrap().weather.chat.drops_files.1;
        let files = if dropped { Vec::new() } else { content.attachments.iter().map(OutgoingAttachment::expected).collect() };
        let times = if self.state.lock().unwrap().weather.chat.twice { 2 } else { 1 };
        for _ in 0..times {
            self.line(conversation, Speaker::Agent, &content.text, files.clone());
        }
    }

    fn visitor_says(&self, conversation: &str, saying: &Saying) {
        let weather = self.state.lock().unwrap().weather.chat.clone();
        let files: Vec<Attachment> =
            if weather.drops_files.0 { Vec::new() } else { saying.attachments.iter().map(OutgoingAttachment::expected).collect() };
        self.line(conversation, Speaker::Visitor, &saying.text, files.clone());
        let message = self.message(Author::Customer, &saying.text, files);
        let bot = {
            let mut state = self.state.lock().unwrap();
            let chat = state.chats.get_mut(conversation).expect("begun");
            chat.asked += u32::from(saying.text.contains("person"));
            let (asked, id) = (chat.asked, chat.ticket);
            let Some(ticket) = state.tickets.iter_mut().find(|t| t.id == id) else { return };
            if !ticket.messages.iter().any(|m| m.text == message.text) {
                ticket.messages.push(message);
            }
            ticket.bot = weather.bot_turns.is_some_and(|turns| asked < turns);
            ticket.bot || weather.bot_talks
        };
        if bot {
            self.line(conversation, Speaker::Bot, "Have you tried turning it off and on again?", Vec::new());
        }
    }

    fn begin_chat(&self, order: &ChatOrder, first: &Saying) -> Begun {
        let weather = {
            let mut state = self.state.lock().unwrap();
            state.web.begun += 1;
            state.sealed_at_begin.push(order.sealed.clone());
            state.weather.chat.clone()
        };
        let id = format!("c{}", self.state.lock().unwrap().chats.len() + 1);
        let files = if weather.drops_files.0 { Vec::new() } else { first.attachments.iter().map(OutgoingAttachment::expected).collect() };
        let message = self.message(Author::Customer, &first.text, files);
        let requester = order.chat.prechat.get("email").cloned().unwrap_or_else(|| format!("v-{id}"));
        let ticket = self.open_ticket("Chat", &requester, message, Some(id.clone()));
        let chat = FakeChat { run: order.run.clone(), ticket: ticket.id, lines: Vec::new(), open: Some(self.clock.now()), asked: 0 };
        self.state.lock().unwrap().chats.insert(id.clone(), chat);
        if !weather.no_greeting {
            self.line(&id, Speaker::System, "Welcome! Somebody will be with you in a minute.", Vec::new());
        }
        self.visitor_says(&id, first);
        Begun {
            in_second_window: false,
            conversation: Some(id.clone()),
            visitor: Some(format!("v-{id}")),
            sealed: Some(format!("sealed {id}")),
            seen: Seen::default(),
        }
    }

    fn view(&self, conversation: &str) -> Option<ChatView> {
        let state = self.state.lock().unwrap();
        let chat = state.chats.get(conversation)?;
        let weather = &state.weather.chat;
        let agents = chat.open.map_or(Push::None, Push::Open);
        Some(ChatView {
            lines: chat.lines.iter().filter(|l| l.stored.is_some() || l.pushed.is_some()).cloned().collect(),
            push: if weather.broken { Push::Broken("the proxy cut it".into()) } else { chat.open.map_or(Push::None, Push::Open) },
            agents: if weather.agents_unheard { Push::None } else { agents },
            ended: false,
            seen: Seen::default(),
        })
    }

    /// The process that listened is gone.
    pub fn forget_listeners(&self) {
        for chat in self.state.lock().unwrap().chats.values_mut() {
            chat.open = None;
            chat.lines.iter_mut().for_each(|l| (l.pushed, l.shown) = (None, None));
        }
    }
}

struct Filled {
    world: Arc<World>,
    order: FormOrder,
    seen: Seen,
}

pub fn print(more: Option<&String>) -> FormPrint {
    let fields = ["name (text)", "e-mail (email)*", "message (textarea)*"].into_iter().map(str::to_owned).chain(more.cloned());
    FormPrint { fields: fields.collect(), hidden: vec!["csrf".into()], target: "POST https://desk.test/contact multipart".into() }
}

#[async_trait]
impl Forms for Web {
    async fn fill_in(&self, order: &FormOrder) -> Result<Box<dyn FilledForm>, Stop> {
        let weather = {
            let mut state = self.0.state.lock().unwrap();
            let weather = state.weather.form.clone();
            if let Some((stop, times)) = weather.page.filter(|p| p.1 > 0) {
                state.weather.mailbox_down |= weather.page_cuts_network;
                state.weather.form.page = Some((stop.clone(), times - 1));
                return Err(stop);
            }
            state.weather.form.clone()
        };
        let seen = Seen { print: Some(print(weather.more.as_ref())), ..Seen::default() };
        Ok(Box::new(Filled { world: self.0.clone(), order: order.clone(), seen }))
    }
    async fn doctor(&self, _: &FormOrder) -> Result<Vec<String>, Stop> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl FilledForm for Filled {
    fn seen(&self) -> &Seen {
        &self.seen
    }
    async fn submit(self: Box<Self>) -> Result<Thanks, Stop> {
        let weather = {
            let mut state = self.world.state.lock().unwrap();
            let weather = state.weather.form.clone();
            if let Some(submit) = &mut state.weather.form.submit {
                submit.2 = submit.2.saturating_sub(1);
            }
            weather
        };
        let stops = weather.submit.clone().filter(|s| s.2 > 0);
        let taken = stops.as_ref().is_none_or(|s| s.1);
        let number = self
            .world
            .mortal(|| {
                self.world.state.lock().unwrap().web.submitted += 1;
                taken.then(|| self.take(&weather)).flatten()
            })
            .await;
        match stops {
            Some((stop, ..)) => Err(stop),
            None => Ok(Thanks { text: "Thank you for your message.".into(), number, seen: Seen::default() }),
        }
    }
}

impl Filled {
    fn take(&self, weather: &FormWeather) -> Option<String> {
        let form = &self.order.form;
        if weather.discards {
            return None;
        }
        let files = form.attachments.iter().map(OutgoingAttachment::expected).collect();
        let message = self.world.message(Author::Customer, &form.text, files);
        let requester = weather.requester.as_ref().unwrap_or(&self.order.customer.address);
        let ticket = self.world.open_ticket(&form.subject, requester, message, None);
        if weather.requester.is_none() && !weather.no_mail {
            let mut mail = self.world.desk_mail(&ticket, "We have your request.", true);
            if weather.plain_mail {
                let text = String::from_utf8(mail).unwrap().replace(&ticket.subject, "We have your request");
                mail = text.into_bytes();
            }
            self.world.deliver(&mail);
        }
        let others = std::mem::take(&mut self.world.state.lock().unwrap().after_submission);
        others.iter().for_each(|mail| self.world.deliver(mail));
        Some(ticket.id.to_string())
    }
}

#[async_trait]
impl Chats for Web {
    async fn offer(&self, order: &ChatOrder) -> Result<Offer, Stop> {
        let (weather, begun) = {
            let state = self.0.state.lock().unwrap();
            (state.weather.chat.clone(), state.web.begun > 0)
        };
        if weather.knows_nobody && !begun && order.sealed.is_some() {
            return Err(Stop::unknown("chat-visitor-refused", ResultClass::Unauthorised, "the desk answered 401"));
        }
        match weather.offer {
            Some(stop) => Err(stop),
            None => Ok(Offer { offered: Some(!(weather.closed || weather.closes_behind && begun)), seen: Seen::default() }),
        }
    }
    async fn begin(&self, order: &ChatOrder, first: &Saying) -> Result<Begun, Stop> {
        let begin = self.0.state.lock().unwrap().weather.chat.begin.clone();
        let taken = begin.as_ref().is_none_or(|b| b.1);
        let begun = self.0.mortal(|| taken.then(|| self.0.begin_chat(order, first))).await;
        match begin {
            Some((stop, _)) => Err(stop),
            None => Ok(begun.expect("begun")),
        }
    }
    async fn leave_message(&self, order: &ChatOrder, message: &Saying) -> Result<Begun, Stop> {
        self.0
            .mortal(|| {
                let drops = {
                    let mut state = self.0.state.lock().unwrap();
                    state.web.notes += 1;
                    state.weather.chat.drops_notes
                };
                if !drops {
                    let said = self.0.message(Author::Customer, &message.text, Vec::new());
                    let ticket = self.0.open_ticket("Message from the chat", &order.customer.address, said, None);
                    let raw = self.0.desk_mail(&ticket, &format!("We have your message:\r\n{}", message.text), true);
                    self.0.deliver(&raw);
                }
            })
            .await;
        Ok(Begun::default())
    }
    async fn say(&self, order: &ChatOrder, line: &Saying) -> Result<(), Stop> {
        let say = self.0.state.lock().unwrap().weather.chat.say.clone();
        let conversation = order.conversation.clone().expect("begun");
        self.0
            .mortal(|| {
                self.0.state.lock().unwrap().web.said += 1;
                if say.as_ref().is_none_or(|s| s.1) {
                    self.0.visitor_says(&conversation, line);
                }
            })
            .await;
        say.map_or(Ok(()), |s| Err(s.0))
    }
    async fn look(&self, order: &ChatOrder) -> Result<ChatView, Stop> {
        let conversation = order.conversation.clone().expect("begun");
        {
            let mut state = self.0.state.lock().unwrap();
            state.web.looks += 1;
            if let Some(stop) = &state.weather.chat.unreadable {
                return Err(stop.clone());
            }
            let now = self.0.clock.now();
            if let Some(chat) = state.chats.get_mut(&conversation) {
                assert_eq!(order.sealed, Some(format!("sealed {conversation}")), "the visitor is opened again from what was stored");
                chat.open.get_or_insert(now);
            }
        }
        Ok(self.0.view(&conversation).expect("begun"))
    }
    fn heard(&self, run: &RunId) -> Option<ChatView> {
        let conversation = {
            let state = self.0.state.lock().unwrap();
            let listens = |c: &FakeChat| c.run == *run && c.open.is_some();
            state.chats.iter().find(|(_, c)| listens(c)).map(|(id, _)| id.clone())
        };
        let mut view = self.0.view(&conversation?)?;
        // What is stored is known by a look only.
        view.lines.retain(|l| l.pushed.is_some());
        view.lines.iter_mut().for_each(|l| l.stored = None);
        Some(view)
    }
    fn listen(&self, _: &ChatOrder, _: Timestamp) {}
    async fn reload(&self, order: &ChatOrder) -> Result<Begun, Stop> {
        let mut state = self.0.state.lock().unwrap();
        state.web.reloads += 1;
        let conversation = if state.weather.chat.forgets { Some("c99".to_owned()) } else { order.conversation.clone() };
        Ok(Begun { conversation, sealed: order.sealed.clone(), ..Begun::default() })
    }
    async fn as_stranger(&self, order: &ChatOrder) -> Result<Option<Vec<ChatLine>>, Stop> {
        let mut state = self.0.state.lock().unwrap();
        state.web.strangers += 1;
        let shown = state.weather.chat.shown_to_all;
        let chat = order.conversation.as_ref().and_then(|id| state.chats.get(id)).filter(|_| shown);
        Ok(Some(chat.map(|c| c.lines.clone()).unwrap_or_default()))
    }
    async fn leave(&self, order: &ChatOrder) -> Result<(), Stop> {
        self.0
            .mortal(|| {
                let mut state = self.0.state.lock().unwrap();
                state.web.left += 1;
                let id = order.conversation.as_ref().and_then(|c| state.chats.get(c)).map(|c| c.ticket);
                state.tickets.iter_mut().filter(|t| Some(t.id) == id).for_each(|t| t.closed = true);
            })
            .await;
        Ok(())
    }
    async fn file(&self, _: &ChatOrder, line: &ChatLine, name: &str) -> Result<Attachment, Stop> {
        line.files
            .iter()
            .find(|f| f.name == name)
            .cloned()
            .ok_or_else(|| Stop::failed("chat-attachment-not-transferred", ResultClass::BrokenContract, "404"))
    }
    async fn doctor(&self, _: &Probe) -> Result<Vec<String>, Stop> {
        Ok(Vec::new())
    }
}

/// Sixty seconds for everything, as people expect of a chat.
pub fn quick(probe: &mut Probe) {
    for stage in Stage::ALL {
        probe.set_limit(stage, Duration::from_secs(60));
    }
}
