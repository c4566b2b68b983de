//! Takes a visitor's steps: calls, and words on the socket.

use super::ear::{Out, Why, WhyKind};
use super::recipe::{Act, Await, ChatStep, SocketStep};
use super::stop::Broke;
use super::talk::{Heard, Talk};
use crate::desk::call::shaped;
use crate::desk::definition::PickSource;
use crate::desk::flow::{Empties, Flow};
use crate::desk::outcome::{Cause, Failure};
use crate::desk::path::{Json, scalar};
use crate::desk::scope::{Scope, Value};
use crate::engine::ways::{Push, Saying};
use crate::model::ResultClass;
use secrecy::SecretString;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// How long a socket may take to open for a step.
const OPENING: Duration = Duration::from_secs(15);
/// How long a socket may take to send a frame.
const SENDING: Duration = Duration::from_secs(12);
/// How long after the deadline of an answer the socket itself may still be found to be broken.
const HALF_OPEN: Duration = Duration::from_secs(2);

/// How a step list ended.
pub(crate) struct Done<'a> {
    pub scope: Scope<'a>,
    /// A step said: asked properly, nothing there.
    pub empty: bool,
}

/// Stops frames from being kept for steps when the steps are through.
struct Hearing<'t> {
    talk: &'t Talk,
    frames: Option<mpsc::Receiver<Heard>>,
    /// Frames that came.
    count: usize,
}

impl Drop for Hearing<'_> {
    fn drop(&mut self) {
        self.talk.heed_not();
    }
}

impl Talk {
    /// Takes steps in order, those of the desk's transport. What they pick of the visitor is kept.
    pub async fn act<'a>(self: &Arc<Talk>, steps: &[ChatStep], saying: Option<&'a Saying>) -> Result<Done<'a>, Broke> {
        let mut scope: Scope<'a> = self.scope();
        if let Some(saying) = saying {
            scope.set("text", Value::text(saying.text.clone()));
            scope.set("token", Value::text(saying.token.as_str()));
            scope.files = &saying.attachments;
        }
        let mut hearing = Hearing { talk: self, frames: None, count: 0 };
        let mut wrote = false;
        for step in steps.iter().filter(|s| self.desk.takes(s)) {
            let taken = match &step.act {
                Act::Http(call) => match self.desk.runner.run(std::slice::from_ref(&**call), &mut scope, Empties::End).await {
                    Ok(Flow::Done { .. }) => {
                        wrote |= call.writes() && scope.answer(&call.id).is_some();
                        Ok(())
                    }
                    Ok(Flow::Empty { .. }) => return Ok(Done { scope, empty: true }),
                    Err(failure) => Err(Broke { failure: Box::new(failure), fault: step.fault }),
                },
                Act::Socket(word) => {
                    self.word(word, step.fault, &mut scope, saying, &mut hearing).await.inspect(|sent| wrote |= *sent).map(drop)
                }
            };
            taken.map_err(|mut broke| {
                broke.failure.no_effect &= !wrote;
                broke
            })?;
            self.visitor.learn(&self.desk.recipe, &mut scope);
        }
        Ok(Done { scope, empty: false })
    }

    /// One step on the socket; true when something was sent that may have changed something.
    async fn word<'a>(
        self: &Arc<Talk>,
        step: &SocketStep,
        fault: Option<&'static str>,
        scope: &mut Scope<'a>,
        saying: Option<&'a Saying>,
        hearing: &mut Hearing<'_>,
    ) -> Result<bool, Broke> {
        let says = |t: &Option<crate::desk::template::Template>| t.as_ref().map(|t| super::reading::truth(t, scope).unwrap_or(false));
        if says(&step.when) == Some(false) || says(&step.unless) == Some(true) {
            return Ok(false);
        }
        let frame = step.send.as_ref().map(|s| shaped(s, scope)).transpose().map_err(Failure::contract)?.flatten();
        // From before the first word on: an answer may come at once.
        hearing.frames.get_or_insert_with(|| self.hear());
        self.opened(fault).await?;
        let mut effect = false;
        if let Some(frame) = frame {
            self.send(frame, fault).await?;
            effect = !step.reads;
        }
        if let Some(wait) = &step.wait {
            // A refusal that names itself has done nothing; any other end leaves that open.
            let frame = hearing.awaited(wait, fault, saying).await.map_err(|mut broke| {
                let refused = matches!(broke.failure.class, ResultClass::Throttled | ResultClass::Denied | ResultClass::Unauthorised);
                broke.failure.no_effect &= !effect || refused;
                broke
            })?;
            picked(step, wait, &frame, scope).map_err(|f| if effect { f.after_effect() } else { f })?;
        }
        Ok(effect)
    }

    /// Waits for the socket.
    async fn opened(self: &Arc<Talk>, fault: Option<&'static str>) -> Result<(), Broke> {
        self.follow();
        let mut push = self.push.subscribe();
        // A path that broke is opened again by itself: only one that stays closed is told.
        let open = push.wait_for(|s| matches!(s.push, Push::Open(_)));
        if let Ok(Ok(_)) = timeout(OPENING, open).await {
            return Ok(());
        }
        let why = self.push.borrow().why.clone();
        let silent = || Why::new(WhyKind::Silent, format!("the chat's socket did not open in {} s", OPENING.as_secs()));
        Err(dead(&why.unwrap_or_else(silent), fault, true))
    }

    /// Sends a frame, once. It is certain whether it was sent, but not whether it arrived.
    async fn send(&self, frame: serde_json::Value, fault: Option<&'static str>) -> Result<(), Broke> {
        let (done, sent) = oneshot::channel();
        let taken = Arc::new(AtomicBool::new(false));
        let unsent = |text: &str| Broke::met(fault.unwrap_or("chat-socket-silent"), ResultClass::Unavailable, text, true);
        let Some(out) = self.out() else { return Err(Failure::contract("this transport has no socket to speak on").into()) };
        let order = Out { frame, taken: taken.clone(), done };
        if timeout(SENDING, out.send(order)).await.is_err() {
            return Err(unsent("the socket took no frame in time"));
        }
        match timeout(SENDING, sent).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(text))) => Err(dead(&Why::new(WhyKind::Broken, text), None, false)),
            _ if Out::claim(&taken) => Err(unsent("the socket took no frame in time")),
            _ => Err(dead(&Why::new(WhyKind::Broken, "the socket broke while the line was sent"), None, false)),
        }
    }
}

/// A socket that cannot be used, as what it means for the visitor.
fn dead(why: &Why, fault: Option<&'static str>, no_effect: bool) -> Broke {
    let class = ResultClass::Unavailable;
    match why.kind {
        // Breaks happen; who was in the middle of something cannot know what became of it.
        WhyKind::Unreachable | WhyKind::Broken => {
            let message = format!("the chat's socket: {}", why.text);
            Failure { no_effect, ..Failure::new(class, Cause::NoAnswer, message) }.into()
        }
        WhyKind::Refused => Broke::met(fault.unwrap_or("chat-socket-refused"), class, why.text.clone(), no_effect),
        WhyKind::Silent => Broke::met(fault.unwrap_or("chat-socket-silent"), class, why.text.clone(), no_effect),
        WhyKind::Unusable => Broke { failure: Box::new(Failure { no_effect, ..Failure::contract(why.text.clone()) }), fault },
    }
}

impl Hearing<'_> {
    /// The frame that is meant; those before it are passed over.
    async fn awaited(&mut self, wait: &Await, fault: Option<&'static str>, saying: Option<&Saying>) -> Result<Json, Broke> {
        let deadline = Instant::now() + wait.deadline;
        let fault = wait.fault.or(fault).unwrap_or("chat-server-error");
        let missing = |text: &str| Broke::met(fault, ResultClass::Unavailable, text, true);
        loop {
            let Some(frames) = &mut self.frames else { return Err(missing("nobody listens on the socket")) };
            let frame = match timeout_at(deadline, frames.recv()).await {
                Ok(Some(Heard::Frame(frame))) => frame,
                Ok(Some(Heard::Broken(why))) => return Err(dead(&why, None, true)),
                Ok(None) => return Err(missing("the socket was closed")),
                Err(_) => {
                    // A socket from which nothing comes may be half open, which its own listener finds out at about this moment.
                    if let Ok(Some(Heard::Broken(why))) = timeout_at(deadline + HALF_OPEN, frames.recv()).await {
                        return Err(dead(&why, None, true));
                    }
                    let text = format!("`{}` did not come on the socket within {} s", wait.when.text(), wait.deadline.as_secs());
                    return Err(match self.count {
                        0 => Broke::met("chat-socket-silent", ResultClass::Unavailable, format!("{text}, nor anything else"), true),
                        _ => missing(&text),
                    });
                }
            };
            self.count += 1;
            if let Some(frame) = judged(wait, fault, saying, frame)? {
                return Ok(frame);
            }
        }
    }
}

/// The frame, when it is the awaited one.
fn judged(wait: &Await, fault: &'static str, saying: Option<&Saying>, frame: Json) -> Result<Option<Json>, Broke> {
    for fail in &wait.fail {
        if fail.when.holds(&frame).map_err(Failure::contract)? {
            let no_effect = !matches!(fail.class, ResultClass::Unavailable | ResultClass::BrokenContract);
            let message = format!("the desk answered `{}` on the socket", fail.name);
            let failure = Failure { no_effect, fault: fail.fault, ..Failure::new(fail.class, Cause::Shape, message) };
            return Err(failure.into());
        }
    }
    if !wait.when.holds(&frame).map_err(Failure::contract)? || !ours(wait, saying, &frame)? {
        return Ok(None);
    }
    match &wait.check {
        Some(check) if !check.holds(&frame).map_err(Failure::contract)? => {
            let text = format!("the answer on the socket does not hold `{}`", check.text());
            Err(Broke::met(fault, ResultClass::Denied, text, true))
        }
        _ => Ok(Some(frame)),
    }
}

/// Whether the frame holds the line's token, where it must. A line without a token, as it is said to a bot, is known by
/// its text.
fn ours(wait: &Await, saying: Option<&Saying>, frame: &Json) -> Result<bool, Failure> {
    let (Some(path), Some(saying)) = (&wait.token, saying) else { return Ok(true) };
    let text = scalar(&path.eval(frame).map_err(Failure::contract)?);
    let known = saying.token.is_in(&saying.text);
    Ok(text.is_some_and(|t| if known { saying.token.is_in(&t) } else { t.trim() == saying.text.trim() }))
}

/// Keeps what a frame is picked for.
fn picked(step: &SocketStep, wait: &Await, frame: &Json, scope: &mut Scope<'_>) -> Result<(), Failure> {
    for pick in &wait.pick {
        let PickSource::Path(path) = &pick.source else { continue };
        let value = path.eval(frame).map_err(Failure::contract)?;
        if !value.is_null() {
            let text = scalar(&value).filter(|_| pick.secret);
            let value = text.map_or(Value::Json(value), |text| Value::Secret(SecretString::from(text)));
            scope.set(format!("{}.{}", step.id, pick.name), value);
        } else if !pick.optional {
            return Err(Failure::contract(format!("step `{}` expects a value `{}`, and the frame has none", step.id, pick.name)));
        }
    }
    scope.set_step(step.id.clone(), frame.clone());
    Ok(())
}
