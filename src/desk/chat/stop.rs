//! From a failed call or a dead socket to what it means for the run: what customers meet too fails it, what only we
//! meet leaves it unknown.

use super::desk::ChatDesk;
use super::visitor::Visitor;
use crate::desk::outcome::{Cause, Failure};
use crate::engine::ways::Stop;
use crate::model::ResultClass;

/// A step that did not end well, with the fault that the desk file names for it.
#[derive(Debug)]
pub(crate) struct Broke {
    pub failure: Box<Failure>,
    pub fault: Option<&'static str>,
}

impl From<Failure> for Broke {
    fn from(failure: Failure) -> Broke {
        Broke { failure: Box::new(failure), fault: None }
    }
}

impl Broke {
    /// Something that customers meet too.
    pub fn met(fault: &'static str, class: ResultClass, message: impl Into<String>, no_effect: bool) -> Broke {
        let failure = Failure { no_effect, ..Failure::new(class, Cause::Shape, message) };
        Broke { failure: Box::new(failure), fault: Some(fault) }
    }

    /// As the engine's word, with the desk's name and without secrets.
    pub fn stop(self, desk: &ChatDesk, visitor: &Visitor, what: &str) -> Stop {
        let Broke { failure, fault } = self;
        let fault = failure.fault.or(fault);
        let text = desk.runner.masks.mask(&visitor.hide(&failure.message));
        let found = format!("desk `{}`, {what}: {text}", desk.name);
        let class = failure.class;
        let stop = match (class, fault.filter(|_| failure.answered())) {
            (ResultClass::Throttled, _) => Stop::unknown("chat-throttled", class, found).advice("ask less often, or keep the visitor"),
            (_, Some(fault)) => Stop::failed(fault, class, found),
            (ResultClass::Unauthorised | ResultClass::Denied, None) => Stop::unknown("chat-visitor-refused", class, found)
                .advice("check the chat's key in the desk's params, and whether the desk blocks this address"),
            (ResultClass::Unavailable, None) if failure.answered() => Stop::failed("chat-server-error", class, found),
            (ResultClass::Unavailable | ResultClass::Ok | ResultClass::Empty, None) => {
                Stop::unknown("chat-unreachable", class, found).advice("try the chat's address from another network").passing()
            }
            (ResultClass::BrokenContract, None) => {
                Stop::unknown("desk-contract-broken", class, found).advice("compare the desk's version with its desk file")
            }
        };
        Stop { retry_after: failure.retry_after, no_effect: failure.no_effect, passing: stop.passing && failure.no_effect, ..stop }
    }
}
