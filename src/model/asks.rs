//! What a probe asks besides its own journey: controls, privacy canaries, business hours.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Which controls may run when a probe fails. A control costs one message at most and obeys the budgets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Controls {
    /// Probes of the configuration that serve as controls, by name.
    pub probes: Vec<String>,
    /// The built-in ones may run too.
    pub built_in: bool,
    /// The account of the control from a second sender.
    pub account: Option<String>,
}

impl Default for Controls {
    fn default() -> Controls {
        Controls { probes: Vec::new(), built_in: true, account: None }
    }
}

/// Privacy canaries: texts with tokens of their own that must not reach a customer or a stranger.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Canaries {
    /// The agent leaves an internal note; it must never reach a customer.
    pub note: bool,
    /// A second customer: writes into the conversation before the agent answers, and must get nothing that is not his.
    pub second: Option<String>,
    /// An account in Cc of the request: gets the answer at most, never a note.
    pub cc: Option<String>,
    /// A fresh chat visitor opens the window after the run's and must see none of its lines.
    pub fresh_visitor: bool,
}

/// Business hours in a time zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// The calendar's key in the configuration.
    pub name: String,
    /// IANA name of the zone.
    pub zone: String,
    /// Open times by weekday, Monday first: minutes since midnight, begin and end.
    pub hours: [Vec<(u16, u16)>; 7],
    /// Days that are closed, `2026-12-25`.
    pub holidays: BTreeSet<jiff::civil::Date>,
}
