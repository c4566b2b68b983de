//! Action Cable, the WebSocket protocol of Rails: commands and what the server says.
//!
//! <https://docs.anycable.io/misc/action_cable_protocol>, and `actioncable/lib/action_cable/connection` of Rails.

use serde_json::{Value, json};

/// The subprotocol that the socket must be opened with.
pub(crate) const SUBPROTOCOL: &str = "actioncable-v1-json";

/// What a frame of the server is.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    /// The connection is there: subscribe now.
    Welcome,
    /// A sign of life, every 3 s.
    Ping,
    /// The subscription stands.
    Confirmed,
    /// The subscription is refused.
    Rejected,
    /// The server closes the connection, with its reason.
    Disconnect(String),
    /// Something for the subscription.
    Message(Value),
    /// Something else.
    Other,
}

/// Reads a frame.
pub(crate) fn read(frame: &Value, identifier: &str) -> Said {
    let ours = || frame["identifier"].as_str().is_none_or(|i| same(i, identifier));
    match frame["type"].as_str() {
        Some("welcome") => Said::Welcome,
        Some("ping") => Said::Ping,
        Some("confirm_subscription") if ours() => Said::Confirmed,
        Some("reject_subscription") if ours() => Said::Rejected,
        Some("disconnect") => Said::Disconnect(frame["reason"].as_str().unwrap_or("no reason given").chars().take(100).collect()),
        Some(_) => Said::Other,
        None => match frame.get("message") {
            Some(message) if ours() => Said::Message(message.clone()),
            _ => Said::Other,
        },
    }
}

/// Identifiers are JSON in a string; servers may write them anew.
fn same(a: &str, b: &str) -> bool {
    a == b || matches!((serde_json::from_str::<Value>(a), serde_json::from_str::<Value>(b)), (Ok(a), Ok(b)) if a == b)
}

/// The command that subscribes.
pub(crate) fn subscribe(identifier: &str) -> String {
    json!({ "command": "subscribe", "identifier": identifier }).to_string()
}

/// The command that performs an action of the channel.
pub(crate) fn perform(identifier: &str, action: &Value) -> String {
    json!({ "command": "message", "identifier": identifier, "data": action.to_string() }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_frame_is_known_and_those_of_other_subscriptions_are_left_out() {
        let own = r#"{"channel":"Chat","id":"1"}"#;
        for (frame, said) in [
            (json!({"type":"welcome"}), Said::Welcome),
            (json!({"type":"ping","message":1}), Said::Ping),
            (json!({"type":"confirm_subscription","identifier":"{\"id\":\"1\",\"channel\":\"Chat\"}"}), Said::Confirmed),
            (json!({"type":"reject_subscription","identifier":own}), Said::Rejected),
            (json!({"type":"disconnect","reason":"unauthorized","reconnect":false}), Said::Disconnect("unauthorized".to_owned())),
            (json!({"identifier":own,"message":{"event":"line"}}), Said::Message(json!({"event":"line"}))),
            (json!({"identifier":"{\"channel\":\"Other\"}","message":{}}), Said::Other),
            (json!({"type":"confirm_subscription","identifier":"{\"channel\":\"Other\"}"}), Said::Other),
            (json!([1]), Said::Other),
        ] {
            assert_eq!(read(&frame, own), said, "{frame}");
        }
    }

    #[test]
    fn commands_hold_json_in_strings() {
        let own = r#"{"channel":"Chat"}"#;
        assert_eq!(subscribe(own), r#"{"command":"subscribe","identifier":"{\"channel\":\"Chat\"}"}"#);
        let said: Value = serde_json::from_str(&perform(own, &json!({"action":"speak","text":"\"x\""}))).unwrap();
        assert_eq!(serde_json::from_str::<Value>(said["data"].as_str().unwrap()).unwrap(), json!({"action":"speak","text":"\"x\""}));
    }
}
