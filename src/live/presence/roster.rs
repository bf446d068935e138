//! What one node knows of the members of one topic. Pure: it is told what was heard and when, and says what to answer.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::wire::{Entry, MemberId, Meta, NodeId, Say, Version};

/// Members that one message names, at most.
const PART: usize = 1_000;

/// A key that is present, and what is said of each of its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// Who: a person, or whatever the app tracks.
    pub key: Arc<str>,
    /// What the app says of each member: at least one, in no particular order.
    pub metas: Vec<Bytes>,
}

/// Who is present, ordered by key.
///
/// ```
/// use mizu::live::{Present, Roll};
///
/// assert!(Roll::default().is_empty());
/// let ann = Present { key: "ann".into(), metas: vec!["1".into()] };
/// assert_eq!(Roll::default().difference(&[ann.clone()].into_iter().collect()).joined, [ann]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roll(Arc<[Present]>);

impl std::ops::Deref for Roll {
    type Target = [Present];

    fn deref(&self) -> &[Present] {
        &self.0
    }
}

impl FromIterator<Present> for Roll {
    fn from_iter<I: IntoIterator<Item = Present>>(presents: I) -> Self {
        let mut presents: Vec<_> = presents.into_iter().collect();
        presents.sort_by(|a, b| a.key.cmp(&b.key));
        Self(presents.into())
    }
}

/// How one roll becomes another, by key.
///
/// See [`Roll`] for an example.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Keys that were not there before.
    pub joined: Vec<Present>,
    /// Keys that are there no longer, as they were.
    pub left: Vec<Present>,
    /// Keys that have other members than before, or of which something else is said.
    pub changed: Vec<Present>,
}

impl Difference {
    /// Nothing is different.
    ///
    /// ```
    /// assert!(mizu::live::Difference::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.joined.is_empty() && self.left.is_empty() && self.changed.is_empty()
    }
}

impl Roll {
    /// What is different in `later`.
    ///
    /// See [`Roll`] for an example.
    pub fn difference(&self, later: &Self) -> Difference {
        let mut difference = Difference::default();
        let mut before = self.iter().peekable();
        for now in later.iter() {
            while let Some(gone) = before.next_if(|old| old.key < now.key) {
                difference.left.push(gone.clone());
            }
            match before.next_if(|old| old.key == now.key) {
                None => difference.joined.push(now.clone()),
                Some(old) if old.metas != now.metas => difference.changed.push(now.clone()),
                Some(_) => {}
            }
        }
        difference.left.extend(before.cloned());
        difference
    }
}

type Members = BTreeMap<MemberId, (Arc<str>, Meta)>;

/// What another node has told.
struct Peer {
    /// Nothing as long as its state was not heard whole.
    version: Option<Version>,
    members: Members,
    heard: Instant,
    /// The parts of its state that came so far.
    parts: Option<(Version, u32, Members)>,
}

/// What is to be done after something was heard.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Heard {
    /// The roll is another one now.
    pub(super) changed: bool,
    /// What to say.
    pub(super) answer: Option<Answer>,
}

/// What a node answers.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// Its own state.
    State,
    /// That it missed something of this node.
    Again(NodeId),
}

/// The members of a topic, as this node knows them.
pub(super) struct Roster {
    node: NodeId,
    version: Version,
    own: Members,
    /// Own members that joined or changed, or left, and that nobody was told of yet.
    untold: BTreeMap<MemberId, bool>,
    peers: BTreeMap<NodeId, Peer>,
    roll: Option<Roll>,
}

impl Roster {
    pub(super) fn new(node: NodeId, version: Version) -> Self {
        let (own, untold, peers) = (Members::new(), BTreeMap::new(), BTreeMap::new());
        Self { node, version, own, untold, peers, roll: None }
    }

    /// An own member is there, or something else is said of it.
    pub(super) fn join(&mut self, id: MemberId, key: Arc<str>, meta: Bytes) {
        self.own.insert(id, (key, Meta(meta)));
        self.untold.insert(id, true);
        self.roll = None;
    }

    /// An own member is there no longer.
    pub(super) fn leave(&mut self, id: MemberId) {
        if self.own.remove(&id).is_some() {
            self.untold.insert(id, false);
            self.roll = None;
        }
    }

    /// What the others were not told yet.
    pub(super) fn change(&mut self) -> Option<Say> {
        if self.untold.is_empty() {
            return None;
        }
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        while let Some((id, there)) = self.untold.pop_first() {
            match self.own.get(&id).filter(|_| there) {
                Some((key, meta)) => joined.push(Entry(id, key.to_string(), meta.clone())),
                None => left.push(id),
            }
            if joined.len() + left.len() == PART {
                break;
            }
        }
        self.version = self.version.next();
        Some(Say::Change { version: self.version, joined, left })
    }

    /// All own members.
    pub(super) fn state(&self) -> Vec<Say> {
        let entry = |(id, (key, meta)): (&MemberId, &(Arc<str>, Meta))| Entry(*id, key.to_string(), meta.clone());
        let all: Vec<_> = self.own.iter().filter(|(id, _)| !self.untold.contains_key(id)).map(entry).collect();
        let parts = u32::try_from(all.len().div_ceil(PART).max(1)).unwrap_or(u32::MAX);
        let mut chunks: Vec<Vec<Entry>> = all.chunks(PART).map(<[Entry]>::to_vec).collect();
        chunks.resize_with(chunks.len().max(1), Vec::new);
        (0..).zip(chunks).map(|(part, members)| Say::State { version: self.version, part, parts, members }).collect()
    }

    /// What to say now and then; nothing where nobody is.
    pub(super) fn alive(&self) -> Option<Say> {
        (!self.own.is_empty()).then_some(Say::Alive(self.version))
    }

    pub(super) fn hear(&mut self, from: NodeId, say: Say, now: Instant) -> Heard {
        if from == self.node {
            return Heard::default();
        }
        match say {
            Say::Hello => return Heard { changed: false, answer: self.has_told().then_some(Answer::State) },
            Say::Again(whose) => {
                return Heard { changed: false, answer: (whose == self.node).then_some(Answer::State) };
            }
            Say::State { .. } | Say::Change { .. } | Say::Alive(_) => {}
        }
        let peer = match self.peers.entry(from) {
            Slot::Occupied(peer) => peer.into_mut(),
            Slot::Vacant(slot) => slot.insert(Peer { version: None, members: Members::new(), heard: now, parts: None }),
        };
        peer.heard = now;
        let (changed, complete) = peer.hear(say);
        if changed {
            self.roll = None;
        }
        Heard { changed, answer: (!complete).then_some(Answer::Again(from)) }
    }

    fn has_told(&self) -> bool {
        self.own.keys().any(|id| !self.untold.contains_key(id))
    }

    /// Forgets nodes that were silent for too long. Whether anybody left with them.
    pub(super) fn expire(&mut self, now: Instant, silence: Duration) -> bool {
        let mut changed = false;
        self.peers.retain(|_, peer| {
            let alive = now.saturating_duration_since(peer.heard) < silence;
            changed |= !alive && !peer.members.is_empty();
            alive
        });
        if changed {
            self.roll = None;
        }
        changed
    }

    /// Who is present.
    pub(super) fn roll(&mut self) -> Roll {
        let (own, peers) = (&self.own, &self.peers);
        self.roll
            .get_or_insert_with(|| {
                let mut presents: BTreeMap<&Arc<str>, Vec<Bytes>> = BTreeMap::new();
                let members = peers.values().flat_map(|peer| peer.members.values()).chain(own.values());
                for (key, meta) in members {
                    presents.entry(key).or_default().push(meta.0.clone());
                }
                let present = |(key, mut metas): (&Arc<str>, Vec<Bytes>)| {
                    // The same on every node, whichever heard first.
                    metas.sort();
                    Present { key: key.clone(), metas }
                };
                Roll(presents.into_iter().map(present).collect())
            })
            .clone()
    }

    pub(super) fn is_untold(&self) -> bool {
        !self.untold.is_empty()
    }
}

impl Peer {
    /// Whether the members are others now, and whether all that the node said before was heard.
    fn hear(&mut self, say: Say) -> (bool, bool) {
        match say {
            Say::Alive(version) => (false, self.version == Some(version) || self.parts.is_some()),
            Say::Change { version, joined, left } => {
                if self.version.map(Version::next) != Some(version) {
                    return (false, self.parts.is_some());
                }
                self.version = Some(version);
                for id in left {
                    self.members.remove(&id);
                }
                self.members.extend(entries(joined));
                (true, true)
            }
            Say::State { version, part, parts, members } => {
                let so_far = match self.parts.take() {
                    Some((of, next, so_far)) if of == version && next == part => Some(so_far),
                    _ => (part == 0).then(Members::new),
                };
                // A part that doesn't fit was meant for somebody else, or the state changed in between.
                let Some(mut so_far) = so_far else { return (false, self.version == Some(version)) };
                so_far.extend(entries(members));
                if part + 1 < parts {
                    self.parts = Some((version, part + 1, so_far));
                    return (false, true);
                }
                let changed = self.members != so_far;
                (self.version, self.members) = (Some(version), so_far);
                (changed, true)
            }
            Say::Hello | Say::Again(_) => (false, true),
        }
    }
}

fn entries(entries: Vec<Entry>) -> impl Iterator<Item = (MemberId, (Arc<str>, Meta))> {
    entries.into_iter().map(|Entry(id, key, meta)| (id, (key.into(), meta)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_secs(15);

    fn roster(node: u64) -> Roster {
        Roster::new(NodeId(node), Version(node * 1_000))
    }

    fn keys(roster: &mut Roster) -> Vec<String> {
        roster.roll().iter().map(|present| format!("{}x{}", present.key, present.metas.len())).collect()
    }

    /// What `from` has to say, heard by `to`; and what that asks for, until both are quiet.
    fn tell(from: &mut Roster, says: Vec<Say>, to: &mut Roster) -> bool {
        let (mut changed, now) = (false, Instant::now());
        for say in says {
            let heard = to.hear(from.node, say, now);
            changed |= heard.changed;
            if heard.answer == Some(Answer::Again(from.node)) {
                let answer = from.hear(to.node, Say::Again(from.node), now).answer;
                assert_eq!(answer, Some(Answer::State));
                changed |= tell(from, from.state(), to);
            }
        }
        changed
    }

    fn change(roster: &mut Roster) -> Vec<Say> {
        std::iter::from_fn(|| roster.change()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_there_as_long_as_any_member_is() {
        let (mut a, mut b) = (roster(1), roster(2));
        a.join(MemberId(1), "ann".into(), "tab 1".into());
        a.join(MemberId(2), "ann".into(), "tab 2".into());
        b.join(MemberId(1), "ann".into(), "phone".into());
        b.join(MemberId(2), "bob".into(), "".into());
        let told = change(&mut a);
        assert!(tell(&mut a, told, &mut b));
        assert_eq!(keys(&mut b), ["annx3", "bobx1"]);
        let before = b.roll();
        a.leave(MemberId(1));
        b.leave(MemberId(1));
        let told = change(&mut a);
        assert!(tell(&mut a, told, &mut b));
        let difference = before.difference(&b.roll());
        assert_eq!((difference.joined.len(), difference.left.len(), difference.changed.len()), (0, 0, 1));
        a.leave(MemberId(2));
        let told = change(&mut a);
        tell(&mut a, told, &mut b);
        let difference = before.difference(&b.roll());
        assert_eq!(difference.left.iter().map(|present| &*present.key).collect::<Vec<_>>(), ["ann"]);
        assert_eq!(keys(&mut b), ["bobx1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_missed_is_asked_for() {
        let (mut a, mut b) = (roster(1), roster(2));
        a.join(MemberId(1), "ann".into(), "".into());
        change(&mut a);
        a.join(MemberId(2), "bob".into(), "".into());
        let told = change(&mut a);
        assert!(tell(&mut a, told, &mut b), "the second change reveals that there was a first");
        assert_eq!(keys(&mut b), ["annx1", "bobx1"]);
        a.leave(MemberId(1));
        change(&mut a);
        let alive = a.alive().into_iter().collect();
        assert!(tell(&mut a, alive, &mut b), "a sign of life reveals that something was missed");
        assert_eq!(keys(&mut b), ["bobx1"]);
        let twice = a.state();
        assert!(!tell(&mut a, twice, &mut b));
    }

    #[tokio::test(start_paused = true)]
    async fn large_states_come_in_parts_and_only_whole() {
        let (mut a, mut b) = (roster(1), roster(2));
        for id in 0..2_500 {
            a.join(MemberId(id), format!("k{id:05}").into(), "".into());
        }
        assert_eq!(change(&mut a).len(), 3);
        let parts = a.state();
        assert_eq!(parts.len(), 3);
        let now = Instant::now();
        for (at, part) in parts.into_iter().enumerate() {
            assert!(b.roll().is_empty());
            assert_eq!(b.hear(NodeId(1), part, now), Heard { changed: at == 2, answer: None });
        }
        assert_eq!(b.roll().len(), 2_500);
    }

    #[tokio::test(start_paused = true)]
    async fn the_silent_have_left() {
        let (mut a, mut b) = (roster(1), roster(2));
        a.join(MemberId(1), "ann".into(), "".into());
        let told = change(&mut a);
        tell(&mut a, told, &mut b);
        b.roll();
        tokio::time::advance(SILENCE / 2).await;
        let alive = a.alive().into_iter().collect();
        tell(&mut a, alive, &mut b);
        tokio::time::advance(SILENCE / 2).await;
        assert!(!b.expire(Instant::now(), SILENCE));
        tokio::time::advance(SILENCE / 2).await;
        assert!(b.expire(Instant::now(), SILENCE));
        assert!(b.roll().is_empty());
    }

    #[test]
    fn who_joins_and_leaves_unseen_is_told_as_gone() {
        let mut a = roster(1);
        a.join(MemberId(1), "ann".into(), "".into());
        a.leave(MemberId(1));
        let Some(Say::Change { joined, left, .. }) = a.change() else { panic!("nothing to tell") };
        assert_eq!((joined, left), (vec![], vec![MemberId(1)]));
        assert!(a.alive().is_none() && a.change().is_none());
    }

    #[test]
    fn own_words_change_nothing() {
        let mut a = roster(1);
        a.join(MemberId(1), "ann".into(), "".into());
        let say = a.change().unwrap();
        assert_eq!(a.hear(NodeId(1), say, Instant::now()), Heard::default());
    }
}
