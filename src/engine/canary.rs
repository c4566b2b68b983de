//! Privacy canaries: texts with tokens of their own that must not reach a customer or a stranger.

use super::journey::Journey;

impl Journey<'_> {
    /// The address of a canary's account.
    pub(super) fn canary_address(&self, account: Option<&String>) -> Option<String> {
        account.and_then(|key| self.parts.directory.account(key)).map(|a| a.address)
    }
}
