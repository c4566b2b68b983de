//! IMAP4rev1 (RFC 3501) with IDLE, UIDPLUS, MOVE, UNSELECT, SPECIAL-USE, LITERAL+ and SASL-IR, over the mailboxes in memory.

mod fetch;
mod folders;
mod messages;
mod parse;
mod search;
mod view;

use super::faults::Fault;
use super::net::Wire;
use super::world::{Login, World};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use parse::{Word, Words};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use view::View;

const CAPABILITIES: &str = "IMAP4rev1 LITERAL+ SASL-IR AUTH=PLAIN IDLE UIDPLUS MOVE UNSELECT SPECIAL-USE NAMESPACE ID";
/// How long an IDLE lives where a switch drops it, at usual speed.
const IDLE_LIFE: Duration = Duration::from_secs(2);
/// The largest literal: a message with room to spare.
const LITERAL_LIMIT: usize = 32 * 1024 * 1024;

/// Takes connections until the task is ended.
pub(crate) async fn serve(world: Arc<World>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let session = Session { world: world.clone(), wire: Wire::new(stream), login: None, view: None };
        world.spawn(async move {
            // A connection that breaks is the client's business; the next one starts anew.
            let _ = session.run().await;
        });
    }
}

/// What a command ends with: the words behind its tag. `Gone` closes the connection.
enum End {
    Ok(String),
    No(String),
    Bad(String),
    Gone,
}

fn ok(text: &str) -> End {
    End::Ok(text.to_owned())
}

fn malformed() -> End {
    End::Bad("Error in IMAP command".to_owned())
}

struct Session {
    world: Arc<World>,
    wire: Wire,
    login: Option<Login>,
    view: Option<View>,
}

impl Session {
    async fn run(mut self) -> io::Result<()> {
        self.wire.send(format!("* OK [CAPABILITY {CAPABILITIES}] ready\r\n")).await?;
        let mut turned = self.world.switches.watch();
        loop {
            if self.is_locked_out() {
                return self.wire.send("* BYE Authentication expired\r\n").await;
            }
            let line = tokio::select! {
                line = self.wire.line() => line?,
                Ok(()) = turned.changed() => continue,
            };
            let Some(line) = line else { return Ok(()) };
            let Some(words) = self.command(line).await? else {
                self.wire.send("* BAD Error in IMAP command\r\n").await?;
                continue;
            };
            if !self.answer(words).await? {
                return self.wire.flush().await;
            }
            self.wire.flush().await?;
        }
    }

    /// True when somebody is signed in who must not be any more.
    fn is_locked_out(&self) -> bool {
        self.login.as_ref().is_some_and(|login| self.world.is_locked_out(login))
    }

    /// The rest of a command: its literals and what follows them. None when it is malformed.
    async fn command(&mut self, mut line: Vec<u8>) -> io::Result<Option<Words>> {
        let mut all = Vec::new();
        loop {
            let Some((count, waits)) = parse::literal(&line) else {
                let Some(words) = parse::words(&line) else { return Ok(None) };
                all.extend(words);
                return Ok(Some(Words::new(all)));
            };
            if count > LITERAL_LIMIT {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "literal too large"));
            }
            let mark = line.iter().rposition(|b| *b == b'{').unwrap_or(line.len());
            let Some(words) = parse::words(&line[..mark]) else { return Ok(None) };
            all.extend(words);
            if waits {
                self.wire.send("+ OK\r\n").await?;
            }
            all.push(Word::Text(self.wire.exact(count).await?));
            line = self.wire.line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        }
    }

    /// False when the connection is to be closed.
    async fn answer(&mut self, mut words: Words) -> io::Result<bool> {
        let (Some(tag), Some(name)) = (words.text(), words.keyword()) else {
            self.wire.put("* BAD Error in IMAP command\r\n");
            return Ok(true);
        };
        if name == "LOGOUT" {
            self.wire.put(format!("* BYE Logging out\r\n{tag} OK Logout completed.\r\n"));
            return Ok(false);
        }
        let end = match name.as_str() {
            "CAPABILITY" => {
                self.wire.put(format!("* CAPABILITY {CAPABILITIES}\r\n"));
                ok("Capability completed.")
            }
            "ID" => {
                self.wire.put("* ID (\"name\" \"sandbox\")\r\n");
                ok("ID completed.")
            }
            "LOGIN" => self.login(&mut words),
            "AUTHENTICATE" => self.authenticate(&mut words).await?,
            "NOOP" => ok("NOOP completed."),
            _ if self.login.is_none() => End::No("Please log in first.".to_owned()),
            "IDLE" => self.idle().await?,
            _ => self.signed_in(&name, &mut words),
        };
        // Sequence numbers must not shift while a command uses them (RFC 3501 section 7.4.1).
        let may_expunge = !matches!(name.as_str(), "FETCH" | "STORE" | "SEARCH");
        if !self.sync(may_expunge) {
            return Ok(false);
        }
        self.wire.put(match end {
            End::Ok(text) => format!("{tag} OK {text}\r\n"),
            End::No(text) => format!("{tag} NO {text}\r\n"),
            End::Bad(text) => format!("{tag} BAD {text}\r\n"),
            End::Gone => return Ok(false),
        });
        Ok(true)
    }

    /// Tells what changed in the selected folder. False when the folder is not what it was.
    fn sync(&mut self, may_expunge: bool) -> bool {
        let (Some(view), Some(login)) = (self.view.as_mut(), self.login.as_ref()) else { return true };
        match view.sync(&login.mailbox, may_expunge) {
            Some(news) => {
                self.wire.put(news);
                true
            }
            None => {
                self.wire.put("* BYE Mailbox UIDVALIDITY changed, please reconnect\r\n");
                false
            }
        }
    }

    fn login(&mut self, words: &mut Words) -> End {
        match (words.text(), words.text()) {
            (Some(user), Some(password)) => self.sign_in(&user, &password),
            _ => malformed(),
        }
    }

    fn sign_in(&mut self, user: &str, password: &str) -> End {
        if self.login.is_some() {
            return End::Bad("Already logged in".to_owned());
        }
        match self.world.imap_login(user, password) {
            Some(login) => {
                self.login = Some(login);
                End::Ok(format!("[CAPABILITY {CAPABILITIES}] Logged in"))
            }
            None => End::No("[AUTHENTICATIONFAILED] Authentication failed.".to_owned()),
        }
    }

    /// SASL PLAIN (RFC 4616), with or without an initial response (RFC 4959).
    async fn authenticate(&mut self, words: &mut Words) -> io::Result<End> {
        if words.keyword().as_deref() != Some("PLAIN") {
            return Ok(End::No("Unsupported authentication mechanism.".to_owned()));
        }
        let coded = match words.text() {
            Some(initial) => initial,
            None => {
                self.wire.send("+ \r\n").await?;
                let line = self.wire.line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
                String::from_utf8_lossy(&line).into_owned()
            }
        };
        if coded == "*" {
            return Ok(End::Bad("Authentication aborted".to_owned()));
        }
        let Ok(decoded) = STANDARD.decode(coded.trim()) else { return Ok(malformed()) };
        let parts: Vec<String> = decoded.split(|b| *b == 0).map(|p| String::from_utf8_lossy(p).into_owned()).collect();
        Ok(match parts.as_slice() {
            [_, user, password] => self.sign_in(user, password),
            _ => malformed(),
        })
    }

    /// IDLE (RFC 2177): changes are told as they happen, until the client says DONE.
    async fn idle(&mut self) -> io::Result<End> {
        let Some(login) = self.login.clone() else { return Ok(malformed()) };
        let mut pushed = login.mailbox.watch();
        let mut turned = self.world.switches.watch();
        self.wire.send("+ idling\r\n").await?;
        let drop = tokio::time::sleep(self.world.pace.scaled(IDLE_LIFE));
        tokio::pin!(drop);
        loop {
            let drops = login.customer && self.world.switches.on(Fault::OkIdleDrop);
            let dead = login.customer && self.world.switches.on(Fault::MonIdleDead);
            if self.is_locked_out() {
                self.wire.put("* BYE Authentication expired\r\n");
                return Ok(End::Gone);
            }
            if !dead && !self.sync(true) {
                return Ok(End::Gone);
            }
            self.wire.flush().await?;
            tokio::select! {
                line = self.wire.line() => {
                    let line = line?.ok_or(io::ErrorKind::UnexpectedEof)?;
                    let done = line.eq_ignore_ascii_case(b"DONE");
                    return Ok(if done { ok("Idle completed.") } else { End::Bad("Expected DONE.".to_owned()) });
                }
                () = &mut drop, if drops => return Ok(End::Gone),
                Ok(()) = pushed.changed() => {}
                Ok(()) = turned.changed() => {}
            }
        }
    }

    fn signed_in(&mut self, name: &str, words: &mut Words) -> End {
        let done = match name {
            "SELECT" => self.select(words, false),
            "EXAMINE" => self.select(words, true),
            "LIST" | "LSUB" => self.list(name, words),
            "STATUS" => self.status(words),
            "CREATE" | "APPEND" if !self.may_write() => Some(End::No("[NOPERM] This login may only look.".to_owned())),
            "CREATE" => self.create(words),
            "APPEND" => self.append(words),
            "NAMESPACE" => {
                self.wire.put("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
                Some(ok("Namespace completed."))
            }
            "SUBSCRIBE" | "UNSUBSCRIBE" | "ENABLE" => Some(ok("Completed.")),
            _ if self.view.is_none() => Some(End::Bad("No mailbox selected, or unknown command.".to_owned())),
            _ => self.selected(name, words),
        };
        done.unwrap_or_else(malformed)
    }

    fn selected(&mut self, name: &str, words: &mut Words) -> Option<End> {
        match name {
            "CHECK" => Some(ok("Check completed.")),
            "UNSELECT" => {
                self.view = None;
                Some(ok("Unselect completed."))
            }
            "CLOSE" => {
                if self.is_writable() {
                    self.expunge(None);
                }
                self.view = None;
                Some(ok("Close completed."))
            }
            "EXPUNGE" => Some(self.expunge_command(None)),
            "SEARCH" => self.search(words, false),
            "FETCH" => self.fetch(words, false),
            "STORE" => self.store(words, false),
            "COPY" => self.copy(words, false, false),
            "MOVE" => self.copy(words, false, true),
            "UID" => match words.keyword()?.as_str() {
                "SEARCH" => self.search(words, true),
                "FETCH" => self.fetch(words, true),
                "STORE" => self.store(words, true),
                "COPY" => self.copy(words, true, false),
                "MOVE" => self.copy(words, true, true),
                "EXPUNGE" => {
                    let set = parse::Set::parse(&words.text()?)?;
                    Some(self.expunge_command(Some(set)))
                }
                _ => None,
            },
            _ => Some(End::Bad("Unknown command.".to_owned())),
        }
    }
}
