//! Two renderings of a region, and the steps from the one to the other.

use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};

use super::attributes::{attributes, unescape};
use super::narrow::narrow;
use super::script::script;
use super::tree::{Kind, Tree};
use crate::page::ops::{Anchor, Op};
use crate::page::rendered::{Extent, Part};

/// What leads from one rendering of a region to the next.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    /// The changes of the region's own HTML, in order.
    pub(crate) ops: Vec<Op>,
    /// The regions inside it that are still there, by their places before and now. What changed in them is not in `ops`.
    pub(crate) kept: Vec<(u32, u32)>,
}

/// Elements that hold what a person does: they are never changed attribute by attribute.
const HELD: [&str; 5] = ["input", "option", "optgroup", "select", "textarea"];

/// Children without a key are looked for among so many: a long list in which nothing fits must not be searched for each of its members.
const NEAR: usize = 64;

/// What changed in a region, without what changed in those inside it. Nothing when it is better sent whole: a browser might read it in
/// another way than this does, or the steps would be more than the HTML.
pub(crate) fn diff(old: &Part<'_>, new: &Part<'_>) -> Option<Difference> {
    let limit = new.len();
    let same =
        || old.children.len() == new.children.len() && old.children.iter().zip(new.children).all(|(a, b)| a.id == b.id);
    if same()
        && let Some(narrow) = narrow(old, new)
    {
        let mut differ = Differ::new(old, new, narrow.old, narrow.new)?;
        let place = Place { anchor: Anchor::Id(unescape(narrow.id)?.into()), path: Vec::new() };
        differ.element(0, 0, &place)?;
        let kept = (0..old.children.len() as u32).map(|at| (at, at)).collect();
        return differ.finish(limit).map(|difference| Difference { kept, ..difference });
    }
    let (old_tree, new_tree) = (Tree::parse(old.html, &old.holes)?, Tree::parse(new.html, &new.holes)?);
    let mut differ = Differ::new(old, new, old_tree, new_tree)?;
    let place = Place { anchor: Anchor::Region, path: Vec::new() };
    let (old_roots, new_roots): (Vec<_>, Vec<_>) = (differ.old.roots().collect(), differ.new.roots().collect());
    match new.extent {
        Extent::Inner => differ.children(&old_roots, &new_roots, &place)?,
        Extent::Outer => match (&*old_roots, &*new_roots) {
            ([one], [other]) if differ.alike(*one, *other) => differ.pair(*one, *other, &place)?,
            _ => return None,
        },
    }
    differ.finish(limit)
}

/// Where a node is.
#[derive(Clone)]
struct Place {
    anchor: Anchor,
    path: Vec<u32>,
}

impl Place {
    fn child(&self, at: usize) -> Self {
        let mut path = self.path.clone();
        path.push(at as u32);
        Self { anchor: self.anchor.clone(), path }
    }
}

struct Differ<'a> {
    old_part: &'a Part<'a>,
    new_part: &'a Part<'a>,
    old: Tree<'a>,
    new: Tree<'a>,
    ops: Vec<Op>,
    kept: Vec<(u32, u32)>,
    /// Of each node, the first id inside it that both trees have: what is around an element that stays, stays with it.
    old_first: Vec<Option<&'a str>>,
    new_first: Vec<Option<&'a str>>,
    /// The ids that both trees have, with their nodes in both, and those whose elements stay.
    common: HashMap<&'a str, (u32, u32)>,
    staying: HashSet<&'a str>,
}

/// What tells a child from its siblings.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Element(&'a str, &'a str),
    Region(&'a str),
    /// Nothing but what it is.
    Same(&'a str),
}

impl<'a> Differ<'a> {
    /// Nothing where an id stands twice: it names nobody.
    fn new(old_part: &'a Part<'a>, new_part: &'a Part<'a>, old: Tree<'a>, new: Tree<'a>) -> Option<Self> {
        let (old_ids, new_ids) = (old.ids()?, new.ids()?);
        let common = old_ids.iter().filter_map(|(id, at)| Some((*id, (*at, *new_ids.get(id)?))));
        let common: HashMap<&str, (u32, u32)> = common.collect();
        let (old_first, new_first) = (old.first_ids(&common), new.first_ids(&common));
        let (ops, kept, staying) = (Vec::new(), Vec::new(), HashSet::new());
        Some(Self { old_part, new_part, old, new, ops, kept, old_first, new_first, common, staying })
    }

    /// What was found, if it is less than the HTML and leaves every element that has an id in place: one that moves to another parent is for the browser to find.
    fn finish(self, limit: usize) -> Option<Difference> {
        let weight: usize = self.ops.iter().map(Op::weight).sum();
        let Self { ops, kept, common, staying, .. } = self;
        (weight <= limit + 32 && staying.len() == common.len()).then_some(Difference { ops, kept })
    }

    /// The elements with these ids, there and in what they hold, stay.
    fn stay(&mut self, old: u32, new: u32) {
        let (mut old_ids, mut new_ids) = (HashSet::new(), HashSet::new());
        self.old.collect_ids(old, &mut old_ids);
        self.new.collect_ids(new, &mut new_ids);
        self.staying.extend(old_ids.intersection(&new_ids));
    }

    /// Whether both are the same but for what is in the regions inside them.
    fn equal(&self, old: u32, new: u32) -> bool {
        let (one, other) = (self.old.node(old), self.new.node(new));
        let holes = one.holes.clone().zip(other.holes.clone());
        one.outer == other.outer
            && std::mem::discriminant(&one.kind) == std::mem::discriminant(&other.kind)
            && one.holes.len() == other.holes.len()
            && holes.into_iter().all(|(a, b)| {
                let offset = |tree: &Tree<'_>, hole: u32, start: u32| tree.holes[hole as usize] - start;
                self.old_part.children[a as usize].id == self.new_part.children[b as usize].id
                    && offset(&self.old, a, one.start) == offset(&self.new, b, other.start)
            })
    }

    /// Both are the same: all ids in them stay, and so do the regions.
    fn keep(&mut self, old: u32, new: u32) {
        self.new.collect_ids(new, &mut self.staying);
        let (old, new) = (self.old.node(old).holes.clone(), self.new.node(new).holes.clone());
        self.kept.extend(old.zip(new));
    }

    /// Whether the one can become the other in steps.
    fn alike(&self, old: u32, new: u32) -> bool {
        let (one, other) = (self.old.node(old), self.new.node(new));
        match (one.kind, other.kind) {
            (Kind::Element { tag, key, .. }, Kind::Element { tag: other_tag, key: other_key, .. }) => {
                tag == other_tag && key == other_key && (key.is_some() || self.around_the_same(old, new))
            }
            (Kind::Text, Kind::Text) => {
                one.outer == other.outer || (unescape(one.outer).is_some() && unescape(other.outer).is_some())
            }
            (Kind::Comment, Kind::Comment) => one.outer == other.outer,
            (Kind::Hole(a), Kind::Hole(b)) => {
                self.old_part.children[a as usize].id == self.new_part.children[b as usize].id
            }
            _ => false,
        }
    }

    /// Whether both are around an element that has an id and stays, or neither is.
    fn around_the_same(&self, old: u32, new: u32) -> bool {
        let first = |ids: &[Option<&'a str>], at: u32| ids.get(at as usize).copied().flatten();
        let places = |id: &str| self.common.get(id).copied();
        match (first(&self.old_first, old), first(&self.new_first, new)) {
            (None, None) => true,
            (Some(before), Some(now)) => {
                places(before).is_some_and(|(_, at)| self.new.holds(new, at))
                    || places(now).is_some_and(|(at, _)| self.old.holds(old, at))
            }
            _ => false,
        }
    }

    /// Compares two that are alike.
    fn pair(&mut self, old: u32, new: u32, place: &Place) -> Option<()> {
        if self.equal(old, new) {
            self.keep(old, new);
            return Some(());
        }
        let (one, other) = (self.old.node(old), self.new.node(new));
        match other.kind {
            Kind::Text => {
                let (before, after) = (unescape(one.outer)?, unescape(other.outer)?);
                self.ops.push(text(&before, &after, place.clone()));
                Some(())
            }
            Kind::Element { .. } => self.element(old, new, place),
            Kind::Comment | Kind::Hole(_) => {
                self.keep(old, new);
                Some(())
            }
        }
    }

    fn element(&mut self, old: u32, new: u32, place: &Place) -> Option<()> {
        let (one, other) = (self.old.node(old), self.new.node(new));
        let (Kind::Element { open, .. }, Kind::Element { tag, open: new_open, id, opaque, .. }) =
            (one.kind, other.kind)
        else {
            return None;
        };
        // An element with an id is named by that alone, wherever it stands.
        let named = id.map(|id| Some(Place { anchor: Anchor::Id(unescape(id)?.into()), path: Vec::new() }));
        let place = match named {
            Some(named) => &named?,
            None => place,
        };
        self.staying.extend(id);
        let changed = open != new_open;
        if changed && has(open, "data-lv-ignore") && has(new_open, "data-lv-ignore")
            || !changed && has(open, "data-lv-ignore")
        {
            self.stay(old, new);
            return Some(());
        }
        let held = HELD.contains(&tag)
            || opaque
            || has(new_open, "contenteditable")
            || has(new_open, "data-lv-disable-with")
            || has(open, "data-lv-ignore")
            || (changed && (matches!(tag, "details" | "dialog") || has(new_open, "popover")));
        let values = if changed { changed_values(open, new_open) } else { Some(Vec::new()) };
        // A region inside takes all of its element; when it comes or goes there, the browser has to look for itself.
        let inner = inner_region(&self.old, self.old_part, old);
        let new_inner = inner_region(&self.new, self.new_part, new);
        let Some(values) = values.filter(|_| !held && inner == new_inner) else {
            let html = self.html(new);
            self.stay(old, new);
            self.ops.push(Op::Morph { anchor: place.anchor.clone(), path: place.path.clone(), html });
            return Some(());
        };
        if !values.is_empty() {
            let (anchor, path) = (place.anchor.clone(), place.path.clone());
            self.ops.push(Op::Attributes { anchor, path, tag: tag.into(), values });
        }
        if inner.is_some() {
            // It holds nothing else.
            self.keep(old, new);
            return Some(());
        }
        let (children, new_children): (Vec<_>, Vec<_>) =
            (self.old.children(old).collect(), self.new.children(new).collect());
        self.children(&children, &new_children, place)
    }

    fn children(&mut self, old: &[u32], new: &[u32], place: &Place) -> Option<()> {
        let pairs = || old.iter().zip(new);
        let start = pairs().take_while(|(a, b)| self.equal(**a, **b)).count();
        let rest = old.len().min(new.len()) - start;
        let backwards = old.iter().rev().zip(new.iter().rev()).take(rest);
        let end = backwards.take_while(|(a, b)| self.equal(**a, **b)).count();
        let mut from: Vec<Option<u32>> = vec![None; new.len()];
        for (at, from) in from.iter_mut().enumerate().take(start) {
            *from = Some(at as u32);
        }
        for back in 1..=end {
            from[new.len() - back] = Some((old.len() - back) as u32);
        }
        self.matched(&old[start..old.len() - end], &new[start..new.len() - end], start, &mut from);
        for (at, origin) in from.iter().enumerate() {
            if let Some(origin) = *origin {
                let origin = origin as usize;
                self.pair(old[origin], new[at], &place.child(origin))?;
            }
        }
        let steps = script(old.len(), &from, |at, out| self.write(new[at], out));
        if let Some(steps) = steps {
            // A region inside an element that is not it alone: how many children it is, nobody here knows.
            let loose = |tree: &Tree<'_>, nodes: &[u32]| {
                nodes.iter().any(|&node| matches!(tree.node(node).kind, Kind::Hole(_)))
            };
            if loose(&self.old, old) || loose(&self.new, new) {
                return None;
            }
            let (anchor, path, count) = (place.anchor.clone(), place.path.clone(), old.len() as u32);
            self.ops.push(Op::Children { anchor, path, count, steps });
        }
        Some(())
    }

    /// Finds for each of some new children the old one that it was: by key, else the same, else the next of its kind.
    fn matched(&self, old: &[u32], new: &[u32], offset: usize, from: &mut [Option<u32>]) {
        // Of those with the same key, or of those without one that are the same, the first one; and of each the next.
        let (mut first, mut next): (HashMap<Key<'_>, usize>, _) =
            (HashMap::with_capacity(old.len()), vec![None; old.len()]);
        for (at, &node) in old.iter().enumerate().rev() {
            next[at] = first.insert(self.key(&self.old, self.old_part, node), at);
        }
        let level = old.len() == new.len() && old.iter().zip(new).all(|(a, b)| self.alike(*a, *b));
        // Most of these stand elsewhere than they did, as when one was put in front of them and the last was dropped.
        let same = |node: u32| first.contains_key(&self.key(&self.new, self.new_part, node));
        if level && (old.len() < 3 || 2 * new.iter().filter(|&&node| same(node)).count() <= new.len()) {
            (0..new.len()).for_each(|at| from[offset + at] = Some((offset + at) as u32));
            return;
        }
        let mut taken = vec![false; old.len()];
        for (at, &node) in new.iter().enumerate() {
            let key = self.key(&self.new, self.new_part, node);
            let Some(found) = first.remove(&key) else { continue };
            match (&key, next[found]) {
                (Key::Same(_), Some(next)) => _ = first.insert(key, next),
                // One that stands twice names nobody.
                (_, Some(_)) => continue,
                (_, None) => {}
            }
            if self.alike(old[found], node) {
                (taken[found], from[offset + at]) = (true, Some((offset + found) as u32));
            }
        }
        let mut behind = 0;
        for (at, &node) in new.iter().enumerate() {
            if from[offset + at].is_none() && matches!(self.key(&self.new, self.new_part, node), Key::Same(_)) {
                let free = |&found: &usize| !taken[found] && self.alike(old[found], node);
                if let Some(found) = (behind..old.len()).take(NEAR).find(free) {
                    (taken[found], from[offset + at], behind) = (true, Some((offset + found) as u32), found + 1);
                }
            }
        }
    }

    fn key(&self, tree: &Tree<'a>, part: &'a Part<'a>, node: u32) -> Key<'a> {
        let node = tree.node(node);
        match node.kind {
            Kind::Element { tag, key: Some(key), .. } => Key::Element(tag, key),
            Kind::Hole(hole) => Key::Region(&part.children[hole as usize].id),
            _ => Key::Same(node.outer),
        }
    }

    fn html(&self, new: u32) -> String {
        let mut out = String::new();
        self.write(new, &mut out);
        out
    }

    fn write(&self, new: u32, out: &mut String) {
        self.new.write(new, &mut |hole, out| self.new_part.children[hole as usize].write(out), out);
    }
}

/// The region that is what an element holds.
fn inner_region<'a>(tree: &Tree<'a>, part: &'a Part<'a>, at: u32) -> Option<&'a str> {
    tree.children(at).find_map(|child| match tree.node(child).kind {
        Kind::Hole(hole) => Some(&*part.children[hole as usize].id),
        _ => None,
    })
}

fn has(open: &str, name: &str) -> bool {
    super::attributes::attribute(open, name).is_some()
}

/// The attributes that are others now; nothing where one of them can't be read.
fn changed_values(old: &str, new: &str) -> Option<Vec<(Box<str>, Option<String>)>> {
    let mut changed = Vec::new();
    for (name, value) in attributes(new) {
        if attributes(old).find(|(other, _)| *other == name).map(|(_, value)| value) != Some(value) {
            changed.push((name.into(), Some(unescape(value)?.into_owned())));
        }
    }
    for (name, _) in attributes(old) {
        if !attributes(new).any(|(other, _)| other == name) {
            changed.push((name.into(), None));
        }
    }
    Some(changed)
}

/// One text that becomes another: the part in which they differ.
fn text(old: &str, new: &str, Place { anchor, path }: Place) -> Op {
    let units = |text: &str| text.encode_utf16().count() as u32;
    let start = old.char_indices().zip(new.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
    let start = start.unwrap_or(old.len().min(new.len()));
    let ends = old[start..].chars().rev().zip(new[start..].chars().rev());
    let end: usize = ends.take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    let length = units(old);
    // Below this, saying where the part is costs more than the part.
    if start + end < 8 {
        return Op::Text { anchor, path, length, at: 0, delete: length, insert: new.to_owned() };
    }
    let (at, delete) = (units(&old[..start]), units(&old[start..old.len() - end]));
    Op::Text { anchor, path, length, at, delete, insert: new[start..new.len() - end].to_owned() }
}
