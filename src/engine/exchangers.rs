//! The desk's mail exchangers as a careful sender sees them: what such a sender refuses, customers of lax ones do not notice.

use super::journey::Journey;
use crate::model::{Channel, ExchangerSight, Looked, Observation, Outcome, ResultClass, Source, Stage};

const EXPIRED: &str = "mx-cert-expired";
/// How the judge of certificates calls one beyond its end.
const BEYOND: &str = "expired";

impl Journey<'_> {
    /// Looks at them once, where the probe asks for it and mail was sent. An expired certificate fails `accept`: senders who
    /// check certificates defer or refuse, whatever our own provider did. Everything else is told, and proves nothing.
    pub(super) async fn look_at_exchangers(&mut self) {
        let Channel::Email(email) = &self.run.probe.channel else { return };
        let sent = self.outcome(Stage::Send) == Some(Outcome::Pass) && self.takes(Stage::Accept);
        if !email.check_exchangers || !sent || !self.run.context.exchangers.is_empty() {
            return;
        }
        let Some(domain) = email.to.first().and_then(|to| to.rsplit_once('@')).map(|(_, domain)| domain.to_owned()) else { return };
        let given = email.exchangers.clone();
        let sights = self.parts.exchangers.look(&domain, &given, self.now()).await;
        for sight in &sights {
            self.saw_exchanger(sight);
        }
        let expired: Vec<&ExchangerSight> = sights.iter().filter(|s| s.refused.as_deref() == Some(BEYOND)).collect();
        if !expired.is_empty() {
            let found = expired.iter().map(|s| ended(s)).collect::<Vec<_>>().join("; ");
            self.check(Stage::Accept, "certificate", Outcome::Fail, "every exchanger's certificate is valid", found);
            // A refusal that was seen comes first: this one strikes other senders.
            if self.outcome(Stage::Accept) == Some(Outcome::Fail) {
                self.hint(Stage::Accept, &[EXPIRED]);
            } else {
                self.fail_first(Stage::Accept, EXPIRED);
            }
        }
        self.run.context.exchangers = sights;
    }

    fn saw_exchanger(&mut self, sight: &ExchangerSight) {
        let (looked, class) = match sight.trouble {
            Some(_) => (Looked::CouldNotLook, ResultClass::Unavailable),
            None => (Looked::Found, ResultClass::Ok),
        };
        let place = format!("mail exchanger {}", sight.host);
        let mut seen = Observation::new(self.now(), Some(Stage::Accept), Source::Names, place, "certificate", looked).class(class);
        if let Some(end) = sight.not_after {
            seen = seen.fact("not_after", end.to_string());
        }
        for (name, words) in [("refused", &sight.refused), ("trouble", &sight.trouble)] {
            if let Some(words) = words {
                seen = seen.fact(name, words.clone());
            }
        }
        self.observe(seen);
    }
}

fn ended(sight: &ExchangerSight) -> String {
    let until = sight.not_after.map(|end| format!(" on {}", end.strftime("%Y-%m-%d"))).unwrap_or_default();
    format!("{}: the certificate ended{until}", sight.host)
}
