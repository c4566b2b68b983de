//! A visitor, a desk and a place to wait for what is heard.

use replypath::clock::SystemClock;
use replypath::config::{DeskSettings, DeskSource, ParamValue};
use replypath::desk::chat::DeskChats;
use replypath::engine::ports::MailEvent;
use replypath::engine::ways::{ChatOrder, ChatView, Chats, Customer, Saying};
use replypath::model::{AnswerBy, Budget, ChatBy, ChatChannel, ChatLine, OutgoingAttachment, RunId, Token, TokenKey, Visitor, WhenOffline};
use replypath::seal::Seal;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long anything may take here; nothing waits for it to pass.
pub const LIMIT: Duration = Duration::from_secs(40);

/// The tokens of this installation.
pub fn key() -> TokenKey {
    TokenKey::new(b"chat tests")
}

/// Settings of the desk `desk`.
pub fn settings(text: &str, params: &[(&str, &str)], secret: &str) -> BTreeMap<String, DeskSettings> {
    let plain = params.iter().map(|(name, value)| ((*name).to_owned(), ParamValue::Plain(toml::Value::String((*value).to_owned()))));
    let secret = ("key".to_owned(), ParamValue::Secret(SecretString::from(secret)));
    let desk = DeskSettings {
        name: "desk".to_owned(),
        definition: "test".to_owned(),
        source: DeskSource { origin: "desks/test.toml".to_owned(), text: text.to_owned() },
        params: plain.chain([secret]).collect(),
        budget: Budget::default(),
        ca: None,
        timeout: Duration::from_secs(12),
    };
    BTreeMap::from([("desk".to_owned(), desk)])
}

/// Chats, and what they tell the engine.
pub struct World {
    pub chats: DeskChats,
    events: tokio::sync::Mutex<mpsc::Receiver<MailEvent>>,
}

impl World {
    /// `state` holds the seal.
    pub fn new(settings: &BTreeMap<String, DeskSettings>, state: &Path) -> World {
        let (sender, events) = mpsc::channel(4096);
        let chats = DeskChats::new(settings, Seal::open(state).unwrap(), key(), Arc::new(SystemClock), sender);
        World { chats: chats.unwrap_or_else(|p| panic!("{}", p.join("\n"))), events: tokio::sync::Mutex::new(events) }
    }

    /// Waits, event by event, until what was heard without a call is as it should be.
    pub async fn heard(&self, order: &ChatOrder, what: &str, is: impl Fn(&ChatView) -> bool) -> ChatView {
        let mut events = self.events.lock().await;
        let waiting = async {
            loop {
                if let Some(view) = self.chats.heard(&order.run).filter(&is) {
                    return view;
                }
                let _ = tokio::time::timeout(Duration::from_millis(500), events.recv()).await;
            }
        };
        match tokio::time::timeout(LIMIT, waiting).await {
            Ok(view) => view,
            Err(_) => panic!("{what} was not heard; there is {:#?}", self.chats.heard(&order.run)),
        }
    }

    /// The next run that has something to look at.
    pub async fn moved(&self) -> RunId {
        let mut events = self.events.lock().await;
        match tokio::time::timeout(LIMIT, events.recv()).await {
            Ok(Some(MailEvent::Moved { run })) => run,
            other => panic!("no event: {other:?}"),
        }
    }
}

/// An order of a run.
pub fn order(run: &str) -> ChatOrder {
    ChatOrder {
        run: RunId(run.to_owned()),
        probe: "chat".to_owned(),
        desk: Some("desk".to_owned()),
        customer: Customer { address: "alice@customers.test".to_owned(), name: "Alice Example".to_owned() },
        chat: ChatChannel {
            page: Some("http://shop.test/help".to_owned()),
            by: ChatBy::Desk,
            text: String::new(),
            attachments: Vec::new(),
            prechat: BTreeMap::new(),
            hand_over: None,
            bot_turns: 0,
            when_offline: WhenOffline::Fail,
            answer: AnswerBy::Chat,
            visitor: Visitor::Fresh,
            reload: true,
            pushed: true,
        },
        conversation: None,
        sealed: None,
        since: "2026-01-01T00:00:00Z".parse().unwrap(),
    }
}

/// A line with its token.
pub fn saying(run: &str, leg: &str) -> Saying {
    let token = key().token(run, leg);
    Saying { text: format!("Where is my parcel? {token}"), token, attachments: Vec::new() }
}

pub fn attachment(name: &str, bytes: &[u8]) -> OutgoingAttachment {
    OutgoingAttachment { name: name.to_owned(), content_type: "text/plain".to_owned(), bytes: bytes.to_vec() }
}

/// The line with a token.
pub fn line<'v>(view: &'v ChatView, token: &Token) -> Option<&'v ChatLine> {
    view.lines.iter().find(|l| l.tokens.contains(token))
}
