//! What waits for a page session: events, messages, timers' results.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use parking_lot::Mutex;

use super::asked::Asked;
use super::event::Event;
use super::heard::heard;
use super::wire::Seq;
use crate::live::{Published, Ref};

/// How a subscription turns what was published into the page's message.
pub(crate) type Receive<M> = dyn Fn(&Published) -> Option<M> + Send + Sync;

/// One thing for the session's loop to do.
pub(crate) enum Mail<M> {
    /// Boxed: it is by far the largest, and a mailbox holds room for several.
    Event(Ref, Box<Event>),
    Message(M),
    /// Decoded by whoever takes it out, not by the publisher.
    Published(Arc<Published>, Arc<Receive<M>>),
    /// A scope that the session watches has moved.
    Poke(Arc<Published>),
    /// An ephemeral message of another session.
    Heard(Arc<Published>),
    /// One of this session's browser: its name and what is in it.
    PassOn(String, serde_json::Value),
    /// The page is shown under another query.
    Params(Ref, Arc<str>, Box<Asked>),
    Resync(Vec<String>),
    /// The browser has the join's answer, and the patches up to this one.
    Confirmed(Seq),
    /// The browser left the page.
    Leave,
}

/// The mailbox had no room; what was pushed is not in it, and the session it belongs to must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

/// A bounded queue into one session. Held by the session and everything that sends to it.
pub(crate) struct Mailbox<M> {
    /// Guards what waits. Held for a push or a pop only.
    queue: Mutex<Queue<M>>,
    waker: AtomicWaker,
    /// When full, the session is ended: it has missed something and can't be right any more.
    capacity: usize,
}

struct Queue<M> {
    mail: VecDeque<Mail<M>>,
    overflowed: bool,
}

impl<M> Mailbox<M> {
    pub(crate) fn new(capacity: usize) -> Self {
        let queue = Mutex::new(Queue { mail: VecDeque::new(), overflowed: false });
        Self { queue, waker: AtomicWaker::new(), capacity }
    }

    pub(crate) fn push(&self, mail: Mail<M>) -> Result<(), Overflow> {
        let pushed = {
            let mut queue = self.queue.lock();
            if let Some(waiting) = queue.older(&mail) {
                *waiting = mail;
                Ok(())
            } else if queue.overflowed || queue.mail.len() >= self.capacity {
                queue.overflowed = true;
                queue.mail = VecDeque::new();
                Err(Overflow)
            } else {
                queue.mail.push_back(mail);
                Ok(())
            }
        };
        self.waker.wake();
        pushed
    }

    /// Takes mail that nobody misses: it is passed over when the mailbox is half full.
    pub(crate) fn push_or_pass(&self, mail: Mail<M>) {
        {
            let mut queue = self.queue.lock();
            let full = queue.overflowed || queue.mail.len() >= self.capacity / 2;
            match queue.older(&mail) {
                Some(waiting) => *waiting = mail,
                None if full => return,
                None => queue.mail.push_back(mail),
            }
        }
        self.waker.wake();
    }

    /// What was published to a topic and waits still is not wanted any more.
    pub(crate) fn forget(&self, topic: &str) {
        let unwanted =
            |mail: &Mail<M>| matches!(mail, Mail::Published(published, _) if published.topic().as_str() == topic);
        self.queue.lock().mail.retain(|mail| !unwanted(mail));
    }

    /// The bytes a full mailbox holds.
    pub(crate) fn footprint(&self) -> usize {
        self.capacity * size_of::<Mail<M>>()
    }

    pub(crate) fn overflowed(&self) -> bool {
        self.queue.lock().overflowed
    }

    pub(crate) fn pop(&self) -> Option<Mail<M>> {
        let mut queue = self.queue.lock();
        let mail = queue.mail.pop_front();
        if queue.mail.is_empty() && queue.mail.capacity() > 8 {
            // An idle session holds no room for a burst that has passed.
            queue.mail = VecDeque::new();
        }
        mail
    }

    /// How much waits.
    pub(crate) fn len(&self) -> usize {
        self.queue.lock().mail.len()
    }

    /// The next mail, or the word that the mailbox overflowed. Only the session's loop polls this.
    pub(crate) async fn next(&self) -> Result<Mail<M>, Overflow> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Result<Mail<M>, Overflow>> {
        let look = || {
            if let Some(mail) = self.pop() {
                return Some(Ok(mail));
            }
            self.overflowed().then_some(Err(Overflow))
        };
        if let Some(found) = look() {
            return Poll::Ready(found);
        }
        self.waker.register(cx.waker());
        look().map_or(Poll::Pending, Poll::Ready)
    }
}

impl<M> Queue<M> {
    /// What the mail takes the place of.
    fn older(&mut self, mail: &Mail<M>) -> Option<&mut Mail<M>> {
        let key = latest(mail)?;
        self.mail.iter_mut().rev().find(|waiting| latest(waiting) == Some(key))
    }
}

/// Of which only the newest waiting mail counts: a kind, and a name in it.
fn latest<M>(mail: &Mail<M>) -> Option<(u8, &str)> {
    match mail {
        Mail::Published(published, _) if published.is_latest() => Some((0, published.topic().as_str())),
        Mail::Poke(published) => Some((1, published.topic().as_str())),
        Mail::Heard(published) => heard(published).map(|heard| (2, heard.key.as_str())),
        Mail::PassOn(name, _) => Some((3, name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn mail_comes_in_order_and_overflow_is_told_once_empty() {
        let mailbox = Mailbox::new(2);
        mailbox.push(Mail::Message(1)).unwrap();
        mailbox.push(Mail::Message(2)).unwrap();
        assert!(matches!(mailbox.next().await, Ok(Mail::Message(1))));
        mailbox.push(Mail::Message(3)).unwrap();
        assert_eq!(mailbox.push(Mail::Message(4)), Err(Overflow));
        assert_eq!(mailbox.push(Mail::Message(5)), Err(Overflow));
        assert!(matches!(mailbox.next().await, Err(Overflow)));
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken() {
        let mailbox = Arc::new(Mailbox::new(2));
        let reader = tokio::spawn({
            let mailbox = mailbox.clone();
            async move { mailbox.next().await.is_ok() }
        });
        tokio::task::yield_now().await;
        mailbox.push(Mail::Message(1)).unwrap();
        assert!(reader.await.unwrap());
    }
}
