//! An ephemeral message, as it travels between sessions and waits in a mailbox.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::live::Published;

/// One message, as it travels.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ephemeral {
    /// What the sender is called among the others; it stays the same for its session.
    pub(crate) from: String,
    pub(crate) name: String,
    pub(crate) payload: Value,
}

/// A message with what makes an older one superfluous.
pub(crate) struct Heard {
    pub(crate) message: Ephemeral,
    pub(crate) key: String,
}

/// Decodes once for all sessions of this node.
pub(crate) fn heard(published: &Published) -> Option<&Heard> {
    let heard = published.memo(|| {
        let message: Ephemeral = rmp_serde::from_slice(published.body()).ok()?;
        let key = format!("{} {} {}", published.topic().as_str(), message.from, message.name);
        Some(Heard { message, key })
    });
    heard.as_ref()
}
