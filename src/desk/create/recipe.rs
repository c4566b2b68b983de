//! What a `[[create]]` says, and what the configuration is told of it.

use super::FieldsMap;
use crate::desk::definition::Step;
use crate::desk::recipe::Field;
use std::time::Duration;

/// A way to write in, compiled.
#[derive(Debug)]
pub(crate) struct Create {
    pub id: String,
    /// The way to sign in; none: as a customer, without credentials.
    pub auth: Option<String>,
    /// The sender's domain must have an MX record: the desk looks.
    pub needs_mx: bool,
    pub limit: Option<Limit>,
    /// A browser on the company's page makes the calls: its rules for other origins are kept.
    pub cors: bool,
    pub steps: Vec<Step>,
    /// Where the desk describes the form's fields.
    pub fields: Option<FieldsMap>,
    pub number: Option<Field>,
    pub thanks: Option<Field>,
}

impl Create {
    /// The steps that change nothing, and the rest.
    pub fn parts(&self) -> (&[Step], &[Step]) {
        let first = self.steps.iter().position(|s| s.writes() || s.prepares).unwrap_or(self.steps.len());
        self.steps.split_at(first)
    }

    /// For the configuration.
    pub fn told(&self) -> Recipe {
        Recipe {
            id: self.id.clone(),
            limit: self.limit,
            cors: self.cors,
            needs_mx: self.needs_mx,
            calls: self.steps.iter().map(Step::most).sum::<u64>() * if self.cors { 2 } else { 1 },
        }
    }
}

/// A way to write in, as far as a configuration needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Its id: what `[form] recipe` names.
    pub id: String,
    /// How often the desk lets somebody write in.
    pub limit: Option<Limit>,
    /// Calls are made as from the company's page, so the probe should name it.
    pub cors: bool,
    /// The desk refuses senders whose domain has no MX record.
    pub needs_mx: bool,
    /// Calls of one run at worst.
    pub calls: u64,
}

/// How often something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// This many …
    pub count: u64,
    /// … in this time …
    pub per: Duration,
    /// … by whom.
    pub scope: LimitScope,
}

impl Limit {
    /// True when something done once in `every` stays below it.
    pub fn allows(&self, every: Duration) -> bool {
        every.as_millis().saturating_mul(u128::from(self.count)) >= self.per.as_millis()
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let per = jiff::SignedDuration::try_from(self.per).unwrap_or_default();
        write!(f, "{} in {per:#} {}", self.count, self.scope.words())
    }
}

/// By whom a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitScope {
    /// All that the desk gets.
    Desk,
    /// What comes from one network address.
    Ip,
    /// What one customer's mail address sends.
    Address,
    /// What is done with one set of credentials.
    Account,
}

impl LimitScope {
    /// All of them.
    pub const ALL: [LimitScope; 4] = [LimitScope::Desk, LimitScope::Ip, LimitScope::Address, LimitScope::Account];

    /// The word in desk files.
    pub fn as_str(self) -> &'static str {
        match self {
            LimitScope::Desk => "desk",
            LimitScope::Ip => "ip",
            LimitScope::Address => "address",
            LimitScope::Account => "account",
        }
    }

    fn words(self) -> &'static str {
        match self {
            LimitScope::Desk => "for the whole desk",
            LimitScope::Ip => "for each network address",
            LimitScope::Address => "for each customer's address",
            LimitScope::Account => "for each set of credentials",
        }
    }
}

/// What a named failure says of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Means {
    /// What was written is not taken: validation.
    #[default]
    Rejected,
    /// The sender's domain has no MX record.
    Mx,
    /// A captcha is asked for.
    Captcha,
    /// Something given with the form ran out while it was filled in.
    Expired,
    /// The form is switched off.
    Disabled,
}

impl Means {
    /// All of them.
    pub const ALL: [Means; 5] = [Means::Rejected, Means::Mx, Means::Captcha, Means::Expired, Means::Disabled];

    /// The word in desk files.
    pub fn as_str(self) -> &'static str {
        match self {
            Means::Rejected => "rejected",
            Means::Mx => "mx",
            Means::Captcha => "captcha",
            Means::Expired => "expired",
            Means::Disabled => "disabled",
        }
    }
}
