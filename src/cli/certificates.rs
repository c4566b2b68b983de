//! Until when the certificates are valid that customers and their providers meet: desks, forms, chats and exchangers.

use crate::clock::{Clock, after};
use crate::config::{Config, ParamValue};
use crate::engine::ports::Exchangers;
use crate::metrics::Metrics;
use crate::model::{Channel, ExchangerSight};
use crate::names::Names;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Certificates change rarely.
const EVERY: Duration = Duration::from_secs(3_600);

/// What is looked at.
#[derive(Debug, Default, PartialEq, Eq)]
struct Places {
    /// Hosts and ports with TLS from the first byte.
    servers: BTreeSet<(String, u16)>,
    /// Domains with the exchangers that stand in the probe.
    domains: BTreeSet<(String, Vec<String>)>,
}

impl Places {
    fn of(config: &Config) -> Places {
        let mut places = Places::default();
        let params = config.desks.values().flat_map(|d| d.params.values());
        places.servers.extend(params.filter_map(|p| if let ParamValue::Plain(value) = p { server(value.as_str()?) } else { None }));
        for probe in config.probes.values() {
            match &probe.channel {
                Channel::Email(email) if email.check_exchangers => {
                    let domain = email.to.first().and_then(|to| to.rsplit_once('@'));
                    places.domains.extend(domain.map(|(_, domain)| (domain.to_owned(), email.exchangers.clone())));
                }
                Channel::Email(_) => {}
                Channel::Form(form) => places.servers.extend(form.page.as_deref().and_then(server)),
                Channel::Chat(chat) => places.servers.extend(chat.page.as_deref().and_then(server)),
            }
        }
        places
    }

    async fn look(&self, names: &Names, clock: &dyn Clock) -> Vec<ExchangerSight> {
        let mut seen = Vec::new();
        for (host, port) in &self.servers {
            seen.push(names.certificate(host, *port, clock.now()).await);
        }
        for (domain, given) in &self.domains {
            seen.extend(names.look(domain, given, clock.now()).await);
        }
        seen
    }
}

/// Host and port of an address that begins with `https://`.
fn server(address: &str) -> Option<(String, u16)> {
    let url = reqwest::Url::parse(address).ok().filter(|u| u.scheme() == "https")?;
    // Brackets of an IPv6 address are the address bar's, not the host's.
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    Some((host, url.port_or_known_default()?))
}

/// Shows the ends of all certificates, and looks again once an hour.
pub(super) fn watch(config: &Config, names: Arc<Names>, metrics: Arc<Metrics>, clock: Arc<dyn Clock>) -> impl Future<Output = ()> + use<> {
    let places = Places::of(config);
    async move {
        loop {
            let seen = places.look(&names, clock.as_ref()).await;
            metrics.certificates.show(seen.into_iter().map(|s| (s.host, s.not_after)));
            clock.sleep_until(after(clock.now(), EVERY)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_with_tls_have_a_certificate() {
        let at = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(server("https://Desk.example/api/v1"), at("desk.example", 443));
        assert_eq!(server("https://[::1]:8443/"), at("::1", 8443));
        for other in ["http://desk.example", "key", "mailto:a@b.example", "https://", ""] {
            assert_eq!(server(other), None, "{other}");
        }
    }
}
