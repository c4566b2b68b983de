//! What the DNS and the exchangers say of the domains that probes with `check_exchangers` write to.

use super::{Complaint, Visits};
use crate::cli::assemble::Outside;
use crate::config::Config;
use crate::engine::ports::Exchangers;
use crate::model::{Channel, ExchangerSight};
use crate::names::Names;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Begins a visit to the exchangers of each domain. What several probes share is visited once.
pub(super) fn visit(config: &Config, outside: &Outside, now: Timestamp, visits: &mut Visits) {
    let mut known = BTreeSet::new();
    for probe in config.probes.values() {
        let Channel::Email(email) = &probe.channel else { continue };
        let domain = email.to.first().and_then(|to| to.rsplit_once('@')).map(|(_, domain)| domain.to_owned());
        let Some(domain) = domain.filter(|_| email.check_exchangers) else { continue };
        if known.insert((domain.clone(), email.exchangers.clone())) {
            let (names, given) = (outside.names.clone(), email.exchangers.clone());
            visits.begin(format!("exchangers of {domain}"), async move { look(&names, &domain, &given, now).await });
        }
    }
}

async fn look(names: &Names, domain: &str, given: &[String], now: Timestamp) -> Result<Vec<String>, Complaint> {
    let (sights, policy) = tokio::join!(names.look(domain, given, now), names.mail_policy(domain, None, now));
    if let Some(trouble) = sights.iter().find_map(|s| s.trouble.as_ref().map(|t| format!("{}: {t}", s.host))) {
        return Err(Complaint { fault: "cannot-tell", message: trouble });
    }
    let mut lines: Vec<String> = sights.iter().map(words).collect();
    lines.push(format!("SPF: {}", policy.spf.words()));
    lines.push(format!("DMARC: {}", policy.dmarc.words()));
    Ok(lines)
}

fn words(sight: &ExchangerSight) -> String {
    let until = sight.not_after.map(|end| format!("certificate until {}", end.strftime("%Y-%m-%d"))).unwrap_or_default();
    match &sight.refused {
        Some(refused) => format!("{}: careful senders refuse it: {refused}; {until}", sight.host).trim_end_matches("; ").to_owned(),
        None => format!("{}: {until}", sight.host),
    }
}
