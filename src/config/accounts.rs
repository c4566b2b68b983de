//! Checks `replypath.toml` and makes the daemon's settings, the accounts and the desks from it.

use super::catalog::{DeskCatalog, DeskDefinition};
use super::read::{At, Doc, looks_secret};
use super::secrets::{ParamText, SecretText};
use super::shape::{AccountShape, ConfigShape, DaemonShape, DeskShape, ImapShape, SmtpShape};
use super::values::RateText;
use super::{BrowserPrograms, Daemon, DeskSettings, DeskSource, PageAccess, ParamValue};
use crate::model::{Account, AuthMethod, Budget, MailboxSettings, ServerSettings, SubmissionSettings, TlsMode};
use crate::problem::{Problem, suggest};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Characters of the page's token: enough that it cannot be guessed over the network.
const SHORTEST_TOKEN: usize = 16;

/// A definition: where it comes from, and what it can do when it could be read.
pub struct Definition {
    /// Its text and origin.
    pub source: DeskSource,
    /// What it can do; none when it is faulty, which was noted.
    pub facts: Option<Box<dyn DeskDefinition>>,
}

/// What is needed to check `replypath.toml`.
pub struct Workshop<'a> {
    /// The folder that holds it.
    pub dir: &'a Path,
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Definitions by id.
    pub definitions: &'a BTreeMap<String, Definition>,
    /// Its text.
    pub doc: Doc,
    /// Remarks.
    pub warnings: Vec<String>,
    /// Keys and lines of secrets that stand in the file itself.
    pub inline: Vec<(String, usize)>,
}

impl Workshop<'_> {
    /// The daemon's settings.
    pub fn daemon(&mut self, shape: Option<&ConfigShape>) -> Daemon {
        let empty = DaemonShape::default();
        let shape = shape.and_then(|s| s.daemon.as_ref()).map_or(&empty, |d| &d.value);
        let days = |n: u64| Duration::from_secs(n * 86_400);
        let state = shape.state.as_ref().map_or("state", |s| s.value.as_str());
        Daemon {
            listen: shape.listen.as_ref().map_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464), |l| l.value.0),
            state: absolute(self.dir, state),
            workers: shape.workers.as_ref().map_or(32, |n| n.value.0),
            keep_passed: self.positive("keep_passed", shape.keep_passed.as_ref()).unwrap_or(days(7)),
            keep_failed: self.positive("keep_failed", shape.keep_failed.as_ref()).unwrap_or(days(90)),
            blind_after: self.positive("blind_after", shape.blind_after.as_ref()).unwrap_or(Duration::from_secs(1_800)),
            max_probes: shape.max_probes.as_ref().map_or(2_000, |n| n.value.0),
            browsers: shape.browsers.as_ref().map_or(1, |n| n.value.0),
            resolver: shape.resolver.as_ref().map(|r| r.value.0),
            exchanger_ca: shape.exchanger_ca.as_ref().map(|c| absolute(self.dir, &c.value)),
        }
    }

    /// Who may see what on the status page. A token that can be guessed is refused.
    pub fn page(&mut self, shape: Option<&ConfigShape>) -> PageAccess {
        let Some(shape) = shape.and_then(|s| s.page.as_ref()).map(|p| &p.value) else { return PageAccess::default() };
        let token = shape.token.as_ref().and_then(|t| self.secret("token", t).map(|secret| (secret, t.span.clone())));
        if let Some((secret, span)) = &token
            && secret.expose_secret().chars().count() < SHORTEST_TOKEN
        {
            let help = "`openssl rand -hex 16` makes a good one".to_owned();
            self.doc.problem(span.clone(), format!("`token` must have at least {SHORTEST_TOKEN} characters"), help);
        }
        let users = shape.users.as_ref().and_then(|path| self.users(path)).unwrap_or_default();
        PageAccess { token: token.map(|t| t.0), users, public: shape.public.as_ref().is_some_and(|p| p.value) }
    }

    fn users(&mut self, path: &At<String>) -> Option<BTreeMap<String, SecretString>> {
        let read = std::fs::read_to_string(absolute(self.dir, &path.value)).map_err(|e| in_words(&e));
        let reason = match read.and_then(|text| super::users::parse(&text)) {
            Ok(users) => return Some(users),
            Err(reason) => reason,
        };
        let help = "`htpasswd -B -C 10 -c FILE NAME` makes one; a relative path starts beside replypath.toml".to_owned();
        self.doc.problem(path.span.clone(), format!("`users`: the file `{}` cannot be used: {reason}", path.value), help);
        None
    }

    /// The programs of the browser; a path that leads to no file is noted.
    pub fn browser(&mut self, shape: Option<&ConfigShape>) -> BrowserPrograms {
        let Some(shape) = shape.and_then(|s| s.browser.as_ref()).map(|b| &b.value) else { return BrowserPrograms::default() };
        BrowserPrograms {
            chromium: self.program("chromium", shape.chromium.as_ref()),
            driver: self.program("driver", shape.driver.as_ref()),
        }
    }

    fn program(&mut self, key: &str, path: Option<&At<String>>) -> Option<PathBuf> {
        let path = path?;
        let file = absolute(self.dir, &path.value);
        let reason = match std::fs::metadata(&file) {
            Ok(found) if found.is_file() => return Some(file),
            Ok(_) => "it is no file".to_owned(),
            Err(error) => in_words(&error),
        };
        let help = "a relative path starts beside replypath.toml; without the key it is looked for in the PATH".to_owned();
        self.doc.problem(path.span.clone(), format!("`{key}`: `{}` cannot be started: {reason}", path.value), help);
        None
    }

    fn positive(&mut self, key: &str, value: Option<&At<super::values::Period>>) -> Option<Duration> {
        positive(key, value, &mut self.doc)
    }

    /// An account, when everything about it is right.
    pub fn account(&mut self, key: &At<String>, shape: &At<AccountShape>) -> Option<Account> {
        check_key("an account", key, &mut self.doc);
        let shape = &shape.value;
        let mailbox = shape.imap.as_ref().and_then(|imap| self.mailbox(&imap.value));
        let imap = shape.imap.as_ref().map(|i| &i.value);
        let submission = shape.smtp.as_ref().and_then(|smtp| self.submission(&smtp.value, imap, mailbox.as_ref()));
        let address = shape.address.as_ref()?.value.0.clone();
        let local = address.split('@').next().unwrap_or_default().to_owned();
        Some(Account {
            name: key.value.clone(),
            display_name: shape.name.as_ref().map_or(local, |n| n.value.clone()),
            aliases: shape.aliases.iter().flat_map(|a| &a.value.0).map(|a| a.value.0.clone()).collect(),
            mailbox: mailbox?,
            submission: submission?,
            budget: budget(shape.budget.as_ref().map(|b| b.value.0.as_slice())),
            address,
        })
    }

    /// How a mailbox is read, when everything about it is right.
    pub fn mailbox(&mut self, shape: &ImapShape) -> Option<MailboxSettings> {
        let tls = shape.tls.as_ref().map_or(TlsMode::Implicit, |t| t.value);
        let password = shape.password.as_ref().and_then(|p| self.secret("password", p));
        let poll = self.positive("poll", shape.poll.as_ref()).unwrap_or(Duration::from_secs(30));
        let junk_poll = self.positive("junk_poll", shape.junk_poll.as_ref()).unwrap_or(Duration::from_secs(60));
        let ca = self.ca(shape.ca.as_ref());
        let host = self.host(shape.host.as_ref());
        self.warn_plain(host.as_deref(), tls, "imap");
        let server = ServerSettings {
            host: host?,
            port: shape.port.as_ref().map_or(if tls == TlsMode::Implicit { 993 } else { 143 }, |p| p.value),
            tls,
            ca,
            tls_name: shape.tls_name.as_ref().map(|n| n.value.clone()),
            user: shape.user.as_ref()?.value.clone(),
            password: password?,
            auth: shape.auth.as_ref().map_or(AuthMethod::Plain, |a| a.value),
        };
        Some(MailboxSettings { server, poll, junk_poll })
    }

    fn submission(&mut self, shape: &SmtpShape, imap: Option<&ImapShape>, mailbox: Option<&MailboxSettings>) -> Option<SubmissionSettings> {
        let tls = shape.tls.as_ref().map_or(TlsMode::Implicit, |t| t.value);
        let user = shape.user.as_ref().or(imap.and_then(|i| i.user.as_ref())).map(|u| u.value.clone());
        let own = shape.password.as_ref().map(|p| self.secret("password", p));
        let timeout = self.positive("timeout", shape.timeout.as_ref()).unwrap_or(Duration::from_secs(30));
        let ca = self.ca(shape.ca.as_ref());
        let host = self.host(shape.host.as_ref());
        let open = user.as_deref() == Some("");
        if !open {
            self.warn_plain(host.as_deref(), tls, "smtp");
        }
        let password = match own {
            _ if open => SecretString::default(),
            Some(password) => password?,
            None => mailbox?.server.password.clone(),
        };
        let auth = shape.auth.as_ref().or(imap.and_then(|i| i.auth.as_ref())).map_or(AuthMethod::Plain, |a| a.value);
        let server = ServerSettings {
            host: host?,
            port: shape.port.as_ref().map_or(if tls == TlsMode::Implicit { 465 } else { 587 }, |p| p.value),
            tls,
            ca,
            tls_name: shape.tls_name.as_ref().map(|n| n.value.clone()),
            user: user?,
            password,
            auth,
        };
        Some(SubmissionSettings { server, timeout })
    }

    fn host(&mut self, host: Option<&At<String>>) -> Option<String> {
        let host = host?;
        let good = |c: char| c.is_alphanumeric() || "-._:".contains(c);
        let port = host.value.rsplit_once(':').filter(|(name, port)| !name.contains(':') && port.parse::<u16>().is_ok());
        let help = match port {
            Some((name, port)) => Some(format!("write host = \"{name}\" and port = {port}")),
            None if host.value.is_empty() || !host.value.chars().all(good) => Some("write a name such as \"mail.example.com\"".to_owned()),
            None => None,
        };
        if help.is_some() {
            self.doc.problem(host.span.clone(), format!("`{}` is not a host name", host.value), help);
            return None;
        }
        Some(host.value.clone())
    }

    fn warn_plain(&mut self, host: Option<&str>, tls: TlsMode, protocol: &str) {
        let Some(host) = host else { return };
        let near = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if tls == TlsMode::None && !near {
            self.warnings.push(format!("{}: `{protocol}` on {host} has tls = \"none\": the password travels unprotected", self.doc.name));
        }
    }

    /// A PEM file of authorities; one that cannot be used is noted.
    fn ca(&mut self, path: Option<&At<String>>) -> Option<PathBuf> {
        let path = path?;
        let file = absolute(self.dir, &path.value);
        let reason = match std::fs::read_to_string(&file) {
            Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => return Some(file),
            Ok(_) => "it holds no PEM certificate".to_owned(),
            Err(error) => in_words(&error),
        };
        self.doc.problem(path.span.clone(), format!("`ca`: the file `{}` cannot be used: {reason}", path.value), None);
        None
    }

    /// Resolves a secret. None: it is not there, which was noted.
    fn secret(&mut self, key: &str, secret: &At<SecretText>) -> Option<SecretString> {
        match &secret.value {
            SecretText::Inline(text) => {
                self.inline.push((key.to_owned(), self.doc.line(&secret.span)));
                Some(text.clone())
            }
            SecretText::Env(name) => {
                let found = (self.env)(&name.value).filter(|v| !v.is_empty());
                if found.is_none() {
                    let help = format!("set it where replypath is started, or use {{ file = \"…\" }} for `{key}`");
                    self.doc.problem(name.span.clone(), format!("the environment variable `{}` is not set", name.value), help);
                }
                found.map(SecretString::from)
            }
            SecretText::File(path) => {
                let file = absolute(self.dir, &path.value);
                let reason = match std::fs::read_to_string(&file) {
                    Ok(text) if text.trim_end_matches(['\r', '\n']).is_empty() => "it is empty".to_owned(),
                    Ok(text) => return Some(text.trim_end_matches(['\r', '\n']).to_owned().into()),
                    Err(error) => in_words(&error),
                };
                let message = format!("`{key}`: the file `{}` cannot be used: {reason}", path.value);
                self.doc.problem(path.span.clone(), message, "a relative path starts beside replypath.toml".to_owned());
                None
            }
        }
    }

    /// A desk, when everything about it is right.
    pub fn desk(&mut self, key: &At<String>, shape: &At<DeskShape>) -> Option<DeskSettings> {
        check_key("a desk", key, &mut self.doc);
        let header = shape.span.clone();
        let shape = &shape.value;
        let timeout = self.positive("timeout", shape.timeout.as_ref()).unwrap_or(Duration::from_secs(20));
        let ca = self.ca(shape.ca.as_ref());
        let id = shape.r#use.as_ref()?;
        let Some(definition) = self.definitions.get(&id.value) else {
            let names: Vec<&str> = self.definitions.keys().map(String::as_str).collect();
            let help = format!("{} (your own go into desks/{}.toml)", suggest(&id.value, &names, "definitions"), id.value);
            self.doc.problem(id.span.clone(), format!("there is no desk definition `{}`", id.value), help);
            return None;
        };
        let params = self.params(shape, definition.facts.as_deref());
        if let Some(facts) = &definition.facts {
            if facts.unproven() {
                let name = &key.value;
                let id = &id.value;
                self.warnings.push(format!(
                    "desk `{name}`: the definition `{id}` is unproven: nobody has recorded the real product with it, so it may be wrong"
                ));
            }
            let place = shape.params.as_ref().map_or(header, |p| p.span.clone());
            // A value that could not be resolved would be called missing too; once is enough.
            let checked = params.as_ref().map(|p| facts.check_params(p)).unwrap_or_default();
            let given = |name: &String| shape.params.iter().flat_map(|p| &p.value.entries).any(|(k, _)| k.value == *name);
            let secret_missing = facts.secret_params().iter().any(|name| !given(name));
            for problem in checked {
                let mut entries = shape.params.iter().flat_map(|p| &p.value.entries);
                let entry = entries.find(|(k, _)| problem.param.as_deref() == Some(k.value.as_str()));
                let named = entry.map(|(k, v)| {
                    // When a secret is missing, the value under a misspelt name may well be it.
                    if secret_missing && matches!(v.value, ParamText::Plain(toml::Value::String(_))) {
                        self.doc.mask(v.span.clone());
                    }
                    k.span.clone()
                });
                self.doc.problem(named.unwrap_or(place.clone()), problem.message, problem.help);
            }
        }
        Some(DeskSettings {
            name: key.value.clone(),
            definition: id.value.clone(),
            source: definition.source.clone(),
            params: params?,
            budget: budget(shape.budget.as_ref().map(|b| b.value.0.as_slice())),
            ca,
            timeout,
        })
    }

    fn params(&mut self, shape: &DeskShape, facts: Option<&dyn DeskDefinition>) -> Option<BTreeMap<String, ParamValue>> {
        let declared = facts.map(DeskDefinition::secret_params).unwrap_or_default();
        let mut complete = shape.params.as_ref().is_none_or(|p| p.value.complete);
        let mut values = BTreeMap::new();
        for (key, value) in shape.params.iter().flat_map(|p| &p.value.entries) {
            let found = match &value.value {
                ParamText::Plain(toml::Value::String(text)) if declared.contains(&key.value) => {
                    self.doc.mask(value.span.clone());
                    self.inline.push((key.value.clone(), self.doc.line(&value.span)));
                    Some(ParamValue::Secret(text.clone().into()))
                }
                ParamText::Plain(plain) => {
                    if looks_secret(&key.value) && plain.is_str() {
                        self.inline.push((key.value.clone(), self.doc.line(&value.span)));
                    }
                    Some(ParamValue::Plain(plain.clone()))
                }
                ParamText::Secret(secret) => {
                    let at = At { value: secret.clone(), span: value.span.clone() };
                    self.secret(&key.value, &at).map(ParamValue::Secret)
                }
            };
            complete &= found.is_some();
            values.extend(found.map(|v| (key.value.clone(), v)));
        }
        complete.then_some(values)
    }
}

/// All definitions: the built-in ones, and the files of `desks/`, which win. Problems of faulty files are added.
pub fn definitions(dir: &Path, catalog: &dyn DeskCatalog, problems: &mut Vec<Problem>) -> BTreeMap<String, Definition> {
    let mut sources: BTreeMap<String, DeskSource> = BTreeMap::new();
    for (id, text) in catalog.built_in() {
        sources.insert(id.clone(), DeskSource { origin: format!("built-in:{id}"), text });
    }
    for file in super::load::toml_files(&dir.join("desks"), "desks", problems) {
        if let Some(text) = super::load::read_text(&file.path, &file.name, problems) {
            sources.insert(file.stem, DeskSource { origin: file.name, text });
        }
    }
    let mut definitions = BTreeMap::new();
    for (id, source) in sources {
        let facts = catalog.parse(&source.origin, &source.text).map_err(|found| problems.extend(found)).ok();
        definitions.insert(id, Definition { source, facts });
    }
    definitions
}

/// Notes a key that could not be a label.
pub fn check_key(what: &str, key: &At<String>, doc: &mut Doc) {
    if !is_slug(&key.value, 40) {
        let help = "use at most 40 of a-z, 0-9, `-` and `_`: it becomes a label of metrics".to_owned();
        doc.problem(key.span.clone(), format!("`{}` cannot be the key of {what}", key.value), help);
    }
}

/// True for a word of a-z, 0-9, `-` and `_`.
pub fn is_slug(word: &str, longest: usize) -> bool {
    !word.is_empty()
        && word.len() <= longest
        && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

/// A duration that must be longer than zero.
pub fn positive(key: &str, value: Option<&At<super::values::Period>>, doc: &mut Doc) -> Option<Duration> {
    let value = value?;
    if value.value.0.is_zero() {
        doc.problem(value.span.clone(), format!("`{key}` must be longer than zero"), None);
        return None;
    }
    Some(value.value.0)
}

/// The rates of a budget.
pub fn budget(rates: Option<&[At<RateText>]>) -> Budget {
    Budget(rates.unwrap_or_default().iter().map(|r| r.value.0).collect())
}

/// A path as it is meant: relative ones start at `dir`.
pub fn absolute(dir: &Path, path: &str) -> PathBuf {
    let joined = dir.join(path);
    std::path::absolute(&joined).unwrap_or(joined)
}

/// An error of the file system without its number.
pub fn in_words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it does not exist".to_owned(),
        std::io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        std::io::ErrorKind::InvalidData => "it is no UTF-8 text".to_owned(),
        _ => error.to_string(),
    }
}
