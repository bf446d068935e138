//! Which topics this node wants, and which of them the server knows of.

use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use crate::live::{AdapterError, Topic};

/// The difference between what is wanted and what the server was told, for the one task that talks to it.
///
/// Wanting and no longer wanting only write down a wish, so they never wait and nothing queues up: there is one entry
/// for each topic. The task [picks](Self::pick) wishes, tells the server, and [confirms](Self::confirm).
#[derive(Default)]
pub(in crate::live::pubsub) struct Interests {
    /// Guards the wishes; held while one changes or some are picked.
    table: Mutex<Table>,
    /// Wakes the task; one permit is enough for any number of changes.
    changed: Notify,
}

#[derive(Default)]
struct Table {
    topics: HashMap<Topic, Interest>,
    /// Topics for which the server may have to be told something.
    dirty: HashSet<Topic>,
    asks: u64,
}

#[derive(Default)]
struct Interest {
    wanted: bool,
    /// The server was asked for it on this connection.
    asked: Option<Ask>,
    confirmed: bool,
    /// Who waits for the confirmation: one, and those before it who gave up since.
    waiters: Vec<oneshot::Sender<Result<(), AdapterError>>>,
}

/// One request for a topic, so that an answer to an earlier one is not taken for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::live::pubsub) struct Ask(u64);

/// What to tell the server.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::live::pubsub) struct Changes {
    pub(in crate::live::pubsub) unsubscribe: Vec<Topic>,
    pub(in crate::live::pubsub) subscribe: Vec<(Topic, Ask)>,
}

impl Changes {
    pub(in crate::live::pubsub) fn is_empty(&self) -> bool {
        self.unsubscribe.is_empty() && self.subscribe.is_empty()
    }
}

impl Interests {
    /// Wants a topic. None when the server is known to deliver it, or where its answer will come; that sender is
    /// dropped when there will be none.
    pub(super) fn want(&self, topic: &Topic) -> Option<oneshot::Receiver<Result<(), AdapterError>>> {
        let mut table = self.table.lock();
        let table = &mut *table;
        let interest = table.topics.entry(topic.clone()).or_default();
        interest.wanted = true;
        if interest.confirmed {
            return None;
        }
        let (tx, rx) = oneshot::channel();
        interest.waiters.retain(|waiter| !waiter.is_closed());
        interest.waiters.push(tx);
        if interest.asked.is_none() && table.dirty.insert(topic.clone()) {
            self.changed.notify_one();
        }
        Some(rx)
    }

    /// Wants a topic no more.
    pub(super) fn unwant(&self, topic: &Topic) {
        let mut table = self.table.lock();
        let table = &mut *table;
        let Some(interest) = table.topics.get_mut(topic) else { return };
        interest.wanted = false;
        if interest.asked.is_none() {
            table.topics.remove(topic);
            table.dirty.remove(topic);
        } else if table.dirty.insert(topic.clone()) {
            self.changed.notify_one();
        }
    }

    /// Until there may be something to [`pick`](Self::pick).
    pub(in crate::live::pubsub) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Up to this many changes, which the server is now told. A topic is in at most one of them.
    pub(in crate::live::pubsub) fn pick(&self, most: usize) -> Changes {
        let mut table = self.table.lock();
        let table = &mut *table;
        let mut changes = Changes::default();
        let picked: Vec<_> = table.dirty.iter().take(most).cloned().collect();
        for topic in picked {
            table.dirty.remove(&topic);
            let Some(interest) = table.topics.get_mut(&topic) else { continue };
            match (interest.wanted, interest.asked) {
                (true, None) => {
                    table.asks += 1;
                    let ask = Ask(table.asks);
                    interest.asked = Some(ask);
                    changes.subscribe.push((topic, ask));
                }
                (false, asked) => {
                    table.topics.remove(&topic);
                    if asked.is_some() {
                        changes.unsubscribe.push(topic);
                    }
                }
                (true, Some(_)) => {}
            }
        }
        changes
    }

    /// The server delivers these from now on.
    pub(in crate::live::pubsub) fn confirm(&self, asked: &[(Topic, Ask)]) {
        let mut table = self.table.lock();
        for (topic, ask) in asked {
            let Some(interest) = table.topics.get_mut(topic).filter(|interest| interest.asked == Some(*ask)) else {
                continue;
            };
            interest.confirmed = true;
            for waiter in interest.waiters.drain(..) {
                let _ = waiter.send(Ok(()));
            }
        }
    }

    /// The server won't deliver these.
    #[cfg(any(feature = "redis", test))]
    pub(in crate::live::pubsub) fn refuse(&self, asked: &[(Topic, Ask)], why: impl Fn() -> AdapterError) {
        let mut table = self.table.lock();
        for (topic, ask) in asked {
            let Some(interest) = table.topics.get_mut(topic).filter(|interest| interest.asked == Some(*ask)) else {
                continue;
            };
            interest.asked = None;
            for waiter in interest.waiters.drain(..) {
                let _ = waiter.send(Err(why()));
            }
        }
    }

    /// There is a new connection, on which the server was told nothing yet.
    pub(in crate::live::pubsub) fn reset(&self) {
        let mut table = self.table.lock();
        let table = &mut *table;
        table.topics.retain(|_, interest| {
            (interest.asked, interest.confirmed) = (None, false);
            interest.wanted
        });
        table.dirty = table.topics.keys().cloned().collect();
    }

    /// Nobody will tell the server anything any more: drops all, and with it who waits.
    pub(super) fn clear(&self) {
        let table = std::mem::take(&mut *self.table.lock());
        drop(table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str) -> Topic {
        Topic::new(name).unwrap()
    }

    /// Picks all, and gives the names.
    fn pick(interests: &Interests) -> (Vec<(Topic, Ask)>, Vec<Topic>) {
        let mut changes = interests.pick(usize::MAX);
        changes.subscribe.sort_by(|one, other| one.0.cmp(&other.0));
        (changes.subscribe, changes.unsubscribe)
    }

    #[test]
    fn the_server_is_told_of_differences_only() {
        let (interests, a) = (Interests::default(), topic("a"));
        let mut answer = interests.want(&a).unwrap();
        interests.unwant(&a);
        assert!(answer.try_recv().is_err() && interests.pick(9).is_empty());

        let mut answer = interests.want(&a).unwrap();
        let (asked, _) = pick(&interests);
        assert!(asked.len() == 1 && interests.pick(9).is_empty());
        interests.confirm(&asked);
        assert!(matches!(answer.try_recv(), Ok(Ok(()))));
        assert!(interests.want(&a).is_none(), "it is known");

        // Left and joined again before anybody looked.
        interests.unwant(&a);
        assert!(interests.want(&a).is_none() && interests.pick(9).is_empty());

        interests.unwant(&a);
        assert_eq!(pick(&interests), (vec![], vec![a.clone()]));
        interests.unwant(&a);
        assert!(interests.pick(9).is_empty());
    }

    /// A topic was left and joined again while the server's answer to the first request was on its way: that answer
    /// says nothing about the second.
    #[test]
    fn an_old_answer_confirms_nothing() {
        let (interests, a) = (Interests::default(), topic("a"));
        let _first = interests.want(&a).unwrap();
        let (old, _) = pick(&interests);
        interests.unwant(&a);
        assert_eq!(pick(&interests).1, std::slice::from_ref(&a));
        let mut second = interests.want(&a).unwrap();
        let (new, _) = pick(&interests);
        interests.confirm(&old);
        assert!(second.try_recv().is_err());
        interests.confirm(&new);
        assert!(matches!(second.try_recv(), Ok(Ok(()))));
    }

    #[test]
    fn a_new_connection_asks_for_all_that_is_wanted() {
        let interests = Interests::default();
        let [a, b, c] = ["a", "b", "c"].map(topic);
        let mut waits = [&a, &b, &c].map(|topic| interests.want(topic).unwrap());
        let (asked, _) = pick(&interests);
        interests.confirm(&asked[..1]);
        interests.unwant(&c);
        interests.reset();
        let (again, gone) = pick(&interests);
        assert_eq!(again.iter().map(|(topic, _)| topic).collect::<Vec<_>>(), [&a, &b]);
        assert!(gone.is_empty(), "the new connection never knew it");
        interests.confirm(&asked);
        assert!(waits[1].try_recv().is_err(), "the answer came on the old connection");
        interests.confirm(&again);
        assert!(matches!(waits[1].try_recv(), Ok(Ok(()))));
    }

    #[test]
    fn refusals_reach_who_waits() {
        let (interests, a) = (Interests::default(), topic("a"));
        let mut answer = interests.want(&a).unwrap();
        let (asked, _) = pick(&interests);
        interests.refuse(&asked, || AdapterError::Closed);
        assert!(matches!(answer.try_recv(), Ok(Err(AdapterError::Closed))));
        interests.unwant(&a);
        assert!(interests.pick(9).is_empty() && interests.table.lock().topics.is_empty());
    }

    #[test]
    fn batches_have_a_size_and_lose_nothing() {
        let interests = Interests::default();
        let _waits: Vec<_> = (0..10).map(|n| interests.want(&topic(&n.to_string()))).collect();
        let sizes: Vec<_> = (0..4).map(|_| interests.pick(4).subscribe.len()).collect();
        assert_eq!(sizes, [4, 4, 2, 0]);
    }
}
