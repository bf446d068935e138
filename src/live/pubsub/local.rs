//! One node.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::live::{Adapter, AdapterError, Delivery, Incoming, Topic};

/// The adapter for a single node: what is published is delivered before `publish` returns.
///
/// ```
/// use mizu::live::{Local, PubSub};
///
/// let pubsub = PubSub::new(Local::default()); // the same as `PubSub::local()`
/// # let _ = pubsub;
/// ```
#[derive(Debug, Default)]
pub struct Local {
    incoming: OnceLock<Incoming>,
}

impl Adapter for Local {
    fn start(&self, incoming: Incoming) {
        // A second start would come from a second `PubSub`, which a moved adapter can't have.
        let _ = self.incoming.set(incoming);
    }

    async fn subscribe(&self, _topic: &Topic) -> Result<(), AdapterError> {
        Ok(())
    }

    fn unsubscribe(&self, _topic: &Topic) {}

    async fn publish(&self, topic: &Topic, body: Bytes, delivery: Delivery) -> Result<(), AdapterError> {
        let incoming = self.incoming.get().ok_or(AdapterError::Closed)?;
        incoming.deliver(topic, body, delivery);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::pubsub::contract;

    #[tokio::test]
    async fn passes_the_contract() {
        contract::verify(async || Local::default()).await;
    }
}
