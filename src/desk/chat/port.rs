//! The engine's port: what a visitor does, in the engine's words.

use super::desk::ChatDesk;
use super::frame::refused;
use super::reading::truth;
use super::recipe::{ChatStep, Transport};
use super::stop::Broke;
use super::talk::Talk;
use super::visitor::Visitor;
use super::{DeskChats, held};
use crate::desk::call::address;
use crate::desk::http::Call;
use crate::desk::outcome::Failure;
use crate::desk::path::scalar;
use crate::desk::recipe::Source;
use crate::engine::ways::{Begun, ChatOrder, ChatView, Chats, Offer, Push, Saying, Seen, Stop};
use crate::model::{Attachment, Channel, ChatLine, Probe, ResultClass, RunId};
use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::Url;
use std::sync::Arc;
use std::time::Duration;

/// How long a push path may take to open after a conversation began.
const OPENING: Duration = Duration::from_secs(10);

/// A conversation for one question only: its socket is closed when it goes.
struct Fleeting(Arc<Talk>);

impl Drop for Fleeting {
    fn drop(&mut self) {
        self.0.hush();
    }
}

impl DeskChats {
    /// A visitor that no run has yet: kept from an earlier run, or new.
    fn fresh(&self, order: &ChatOrder, desk: Arc<ChatDesk>) -> Arc<Talk> {
        let kept = order.sealed.as_deref().and_then(|sealed| Visitor::unsealed(&self.shared.seal, sealed, None));
        Talk::new(desk, self.shared.clone(), order, kept.unwrap_or_default())
    }

    fn begun(&self, talk: &Talk) -> Begun {
        let mut seen = Seen::default();
        seen.facts.insert("transport".to_owned(), talk.desk.transport.as_str().into());
        Begun {
            conversation: talk.visitor.conversation(),
            visitor: talk.visitor.visitor(),
            sealed: talk.visitor.sealed(&self.shared.seal),
            in_second_window: false,
            seen,
        }
    }

    /// Listens from now on, to both sides, and waits a little until the push path is open.
    async fn attend(&self, talk: &Arc<Talk>) {
        talk.follow();
        if let Some(agents) = self.agents(&talk.desk) {
            talk.attend(agents.clone());
            agents.open().await;
            agents.register(talk).await;
        }
        if talk.desk.transport != Transport::Http {
            let mut push = talk.push.subscribe();
            let decided = push.wait_for(|s| matches!(s.push, Push::Open(_)) || s.why.is_some());
            let _ = tokio::time::timeout(OPENING, decided).await;
        }
    }
}

/// Whether the widget's frame loads, and whether the page may show it.
async fn framed(desk: &ChatDesk, talk: &Talk, page: Option<&str>) -> Result<(), Broke> {
    let (Some(frame), Some(page)) = (&desk.recipe.frame, page) else { return Ok(()) };
    let scope = talk.scope();
    let absolute = !frame.text().starts_with('/');
    let url = address(&desk.runner.settings, frame, absolute, &scope).map_err(Failure::contract)?;
    let page = Url::parse(page).map_err(|e| Failure::contract(format!("the probe's page is no URL: {e}")))?;
    let mut call = Call { jar: scope.sent.jar.clone(), ..Call::get(url.clone()) };
    crate::desk::call::visiting(&scope, &mut call.headers).map_err(Failure::contract)?;
    let reply = desk.runner.send(&call).await?;
    if !reply.status.is_success() {
        let text = format!("the widget's frame at {} answers {}", crate::desk::http::place(&url), reply.status);
        return Err(Broke::met("chat-widget-down", ResultClass::Unavailable, text, true));
    }
    match refused(&reply.headers, &reply.url, &page) {
        None => Ok(()),
        Some(why) => {
            let text = format!("a browser does not show the widget on {}: {why}", page.origin().ascii_serialization());
            Err(Broke::met("chat-frame-refused", ResultClass::Denied, text, true))
        }
    }
}

/// A required question that the probe does not answer.
fn unanswered(talk: &Talk, scope: &crate::desk::scope::Scope<'_>) -> Option<String> {
    let recipe = &talk.desk.recipe;
    let Some(Source::Step(step, path)) = &recipe.questions else { return None };
    let asked = path.eval(scope.answer(step)?).ok()?;
    asked.as_array()?.iter().filter_map(scalar).find(|key| !talk.answers(key) && !recipe.answered.contains(key))
}

#[async_trait]
impl Chats for DeskChats {
    async fn offer(&self, order: &ChatOrder) -> Result<Offer, Stop> {
        let desk = self.desk(order.desk.as_deref())?;
        let talk = Fleeting(self.fresh(order, desk.clone()));
        let stop = |broke: Broke| broke.stop(&desk, &talk.0.visitor, "is chat offered");
        framed(&desk, &talk.0, order.chat.page.as_deref()).await.map_err(stop)?;
        // Open before anything begins: only then does it prove something that agents were not told.
        if let Some(agents) = self.agents(&desk) {
            agents.open().await;
        }
        if desk.recipe.offer.is_empty() {
            return Ok(Offer { offered: None, seen: Seen::default() });
        }
        let done = talk.0.act(&desk.recipe.offer, None).await.map_err(stop)?;
        let offered = desk.recipe.offered.as_ref().and_then(|t| truth(t, &done.scope));
        if let (Some(key), Some(true)) = (unanswered(&talk.0, &done.scope), offered) {
            let found = format!("desk `{}`: the chat asks for `{key}`, and the probe has no answer", desk.name);
            return Err(Stop::unknown("chat-prechat-changed", ResultClass::Denied, found).advice(format!("add `{key}` to [chat.prechat]")));
        }
        let mut seen = Seen::default();
        seen.facts.insert("offered".to_owned(), offered.into());
        Ok(Offer { offered, seen })
    }

    async fn begin(&self, order: &ChatOrder, first: &Saying) -> Result<Begun, Stop> {
        let desk = self.desk(order.desk.as_deref())?;
        let talk = self.fresh(order, desk.clone());
        let stop = |broke: Broke| broke.stop(&desk, &talk.visitor, "begin");
        if let Err(wait) = desk.admit(&order.probe, self.shared.clock.now()) {
            let found = format!("desk `{}`: it allows no further conversation for {} s", desk.name, wait.as_secs() + 1);
            let stop = Stop::unknown("chat-throttled", ResultClass::Throttled, found).advice("run the probe less often");
            return Err(Stop { retry_after: Some(wait), ..stop });
        }
        // Known from here on: an act whose outcome is uncertain can still be looked for.
        held(&self.talks).insert(order.run.clone(), talk.clone());
        if let Some(agents) = self.agents(&desk) {
            agents.open().await;
        }
        let done = match talk.act(&desk.recipe.begin, Some(first)).await {
            Ok(done) => done,
            Err(broke) => {
                if broke.failure.no_effect {
                    self.forget(&order.run);
                }
                return Err(stop(broke));
            }
        };
        if done.empty {
            let text = "the desk took the first line and answered with nothing";
            return Err(stop(Failure::contract(text).after_effect().into()));
        }
        self.attend(&talk).await;
        Ok(self.begun(&talk))
    }

    async fn leave_message(&self, order: &ChatOrder, message: &Saying) -> Result<Begun, Stop> {
        let desk = self.desk(order.desk.as_deref())?;
        let talk = Fleeting(self.fresh(order, desk.clone()));
        let stop = |broke: Broke| broke.stop(&desk, &talk.0.visitor, "leave a message");
        if desk.recipe.offline.is_empty() {
            return Err(stop(Failure::contract("its definition has no [chat.offline]").into()));
        }
        let done = talk.0.act(&desk.recipe.offline, Some(message)).await.map_err(stop)?;
        if done.empty {
            return Err(stop(Failure::contract("the desk answered the message with nothing").after_effect().into()));
        }
        Ok(self.begun(&talk.0))
    }

    async fn say(&self, order: &ChatOrder, line: &Saying) -> Result<(), Stop> {
        let talk = self.talk(order)?;
        let stop = |broke: Broke| broke.stop(&talk.desk, &talk.visitor, "say a line");
        let done = talk.act(&talk.desk.recipe.say, Some(line)).await.map_err(stop)?;
        match done.empty {
            true => Err(stop(Failure::contract("the desk answered the line with nothing").after_effect().into())),
            false => Ok(()),
        }
    }

    async fn look(&self, order: &ChatOrder) -> Result<ChatView, Stop> {
        let talk = self.talk(order)?;
        if !talk.listens() {
            self.attend(&talk).await;
        }
        // A history that cannot be read says nothing of what customers meet: they mostly do not read it again.
        let blind = |broke: Broke| Broke { fault: None, ..broke }.stop(&talk.desk, &talk.visitor, "read the conversation");
        talk.read_history().await.map_err(blind)?;
        Ok(talk.view())
    }

    fn heard(&self, run: &RunId) -> Option<ChatView> {
        self.known(run).filter(|talk| talk.listens()).map(|talk| talk.view())
    }

    fn listen(&self, order: &ChatOrder, until: Timestamp) {
        if let Ok(talk) = self.talk(order) {
            talk.listen(until);
        }
    }

    async fn reload(&self, order: &ChatOrder) -> Result<Begun, Stop> {
        let before = self.talk(order)?;
        let desk = before.desk.clone();
        let kept = before.visitor.sealed(&self.shared.seal).or_else(|| order.sealed.clone());
        let again = ChatOrder { sealed: kept, ..order.clone() };
        if desk.recipe.resume.is_empty() {
            let broke = Failure::contract("its definition has no [chat.resume]");
            return Err(Broke::from(broke).stop(&desk, &before.visitor, "reload"));
        }
        // A second tab first, as of a customer who looks at another page of the shop while the first stays open.
        let tab = self.fresh(&again, desk.clone());
        tab.act(&desk.recipe.resume, None).await.map_err(|broke| broke.stop(&desk, &tab.visitor, "open a second tab"))?;
        if tab.visitor.conversation() != order.conversation {
            return Ok(Begun { in_second_window: true, ..self.begun(&tab) });
        }
        // The page is gone with its socket; what is kept is what makes the visitor the visitor.
        self.forget(&order.run);
        let talk = self.fresh(&again, desk.clone());
        talk.take_over(&before);
        talk.act(&desk.recipe.resume, None).await.map_err(|broke| broke.stop(&desk, &talk.visitor, "reload"))?;
        held(&self.talks).insert(order.run.clone(), talk.clone());
        let begun = self.begun(&talk);
        if begun.conversation.is_some() {
            self.attend(&talk).await;
        } else {
            talk.visitor.set_conversation(order.conversation.clone());
        }
        Ok(begun)
    }

    async fn as_stranger(&self, order: &ChatOrder) -> Result<Option<Vec<ChatLine>>, Stop> {
        let desk = self.desk(order.desk.as_deref())?;
        if desk.recipe.resume.is_empty() {
            return Ok(None);
        }
        let stranger = ChatOrder { conversation: None, sealed: None, ..order.clone() };
        let talk = Fleeting(self.fresh(&stranger, desk.clone()));
        let stop = |broke: Broke| broke.stop(&desk, &talk.0.visitor, "open the window as a stranger");
        // What makes a visitor a visitor, without a word of his.
        let known: Vec<ChatStep> = desk.recipe.begin.iter().take_while(|s| s.prepares()).cloned().collect();
        talk.0.act(&known, None).await.map_err(stop)?;
        talk.0.act(&desk.recipe.resume, None).await.map_err(stop)?;
        if talk.0.visitor.conversation().is_none() {
            return Ok(Some(Vec::new()));
        }
        talk.0.read_history().await.map_err(stop)?;
        Ok(Some(talk.0.view().lines))
    }

    async fn leave(&self, order: &ChatOrder) -> Result<(), Stop> {
        let talk = self.talk(order)?;
        let stop = |broke: Broke| broke.stop(&talk.desk, &talk.visitor, "leave");
        let left = talk.act(&talk.desk.recipe.leave, None).await.map(drop).map_err(stop);
        self.forget(&order.run);
        left
    }

    async fn file(&self, order: &ChatOrder, line: &ChatLine, name: &str) -> Result<Attachment, Stop> {
        let talk = self.talk(order)?;
        let stop = |broke: Broke| broke.stop(&talk.desk, &talk.visitor, "fetch a file");
        if talk.file(line, name).is_none() {
            talk.read_history().await.map_err(stop)?;
        }
        talk.fetched(line, name).await.map_err(stop)
    }

    async fn doctor(&self, probe: &Probe) -> Result<Vec<String>, Stop> {
        let Channel::Chat(chat) = &probe.channel else { return Ok(Vec::new()) };
        let desk = self.desk(probe.desk.as_deref())?;
        let order = ChatOrder {
            run: RunId("doctor".to_owned()),
            probe: probe.name.clone(),
            desk: probe.desk.clone(),
            customer: crate::engine::ways::Customer { address: String::new(), name: String::new() },
            chat: (**chat).clone(),
            conversation: None,
            sealed: None,
            since: self.shared.clock.now(),
        };
        let offer = self.offer(&order).await?;
        let offered = match offer.offered {
            Some(true) => "chat is offered",
            Some(false) => "chat answers, and is not offered now",
            None => "chat is there; the desk does not say whether it is offered",
        };
        Ok(vec![format!("{offered}, over {}", desk.transport.as_str())])
    }
}
