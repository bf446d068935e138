//! A page's subscription to a topic.

use std::sync::Arc;

use super::app::WeakLive;
use super::mailbox::{Mail, Mailbox, Receive};
use super::publish;
use super::token::SessionId;
use crate::live::{Published, Subscriber};

/// Puts what is published into the session's mailbox.
pub(crate) struct Subscribed<M> {
    pub(crate) mailbox: Arc<Mailbox<M>>,
    pub(crate) receive: Arc<Receive<M>>,
    pub(crate) live: WeakLive,
    pub(crate) session: SessionId,
}

impl<M: Send + 'static> Subscriber for Subscribed<M> {
    fn deliver(&self, published: &Arc<Published>) {
        if publish::is_from(published, self.session) {
            return;
        }
        let overflow = self.mailbox.push(Mail::Published(published.clone(), self.receive.clone()));
        if let (Err(_), Some(live)) = (overflow, self.live.upgrade()) {
            live.park().overflowed(self.session);
        }
    }
}
