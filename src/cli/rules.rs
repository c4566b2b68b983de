//! `rules`: the alerting rules for Prometheus, with the thresholds of one's own probes.

use super::exit::Exit;
use super::{Context, Ended, Failure, load, put};
use crate::metrics::rules::{Target, rules};

/// Arguments of `rules`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  replypath rules > /etc/prometheus/rules/replypath.yml
  replypath rules --url https://watch.example.com    links in alerts lead there")]
pub struct Args {
    /// The job under which Prometheus scrapes replypath
    #[arg(long, value_name = "NAME", default_value = "replypath", value_parser = job)]
    job: String,
    /// Where people reach the status page; without it, links in alerts lead to the address that is scraped
    #[arg(long, value_name = "URL", value_parser = address)]
    url: Option<String>,
}

/// What may stand in the rules as it is.
fn job(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err(format!("`{text}` cannot be written into the rules; a job's name may hold letters, digits and -_./")),
    }
}

fn address(text: &str) -> Result<String, String> {
    match reqwest::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && !text.contains(['{', '}']) => {
            Ok(url.as_str().trim_end_matches('/').to_owned())
        }
        _ => Err(format!("`{text}` is no web address; write for instance https://watch.example.com")),
    }
}

/// Writes the rules to standard output.
///
/// # Errors
/// When the configuration is faulty.
pub fn run(args: &Args, context: &Context) -> Ended {
    let config = load(&context.dir)?;
    let target = Target { job: &args.job, url: args.url.as_deref(), now: context.clock.now() };
    put(&rules(config.probes.values(), target).map_err(|e| Failure::ours(e.to_string()))?);
    Ok(Exit::Passed)
}

#[cfg(test)]
mod tests {
    use super::{address, job};

    #[test]
    fn a_job_that_would_need_quotes_is_refused() {
        assert_eq!(job("desk-watch/eu_1").unwrap(), "desk-watch/eu_1");
        for wrong in ["a b", "a\"", "a # b", ""] {
            assert!(job(wrong).unwrap_err().contains("cannot be written"), "{wrong}");
        }
    }

    #[test]
    fn only_web_addresses_without_template_braces_are_taken() {
        assert_eq!(address("https://watch.example.com/desk/").unwrap(), "https://watch.example.com/desk");
        for wrong in ["watch.example.com", "ftp://watch.example.com", "https://watch.example.com/{{ . }}", ""] {
            assert!(address(wrong).unwrap_err().contains("is no web address"), "{wrong}");
        }
    }
}
