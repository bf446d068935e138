//! Keeps what regions give while a render function runs, and lets only those run that must.
//!
//! A region that is spliced leaves a placeholder in the markup around it. When that markup is complete the placeholders are taken
//! out, and where they stood are the holes of its [`Node`].

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use maud::Markup;
use memchr::memmem::Finder;

use super::rendered::{Extent, Node, ROOT};
use super::wire::Seq;

/// Which regions a rendering must look into.
pub(crate) enum Plan<'a> {
    /// All: the first rendering, or one of which it is not known what changed.
    All(Option<&'a Arc<Node>>),
    /// Those marked, on top of a previous rendering.
    Marked { previous: &'a Arc<Node>, open: HashMap<*const Node, Opened> },
}

/// Why a region's closure runs again.
#[derive(Default)]
pub(crate) struct Opened {
    /// The region itself is marked, and so is all inside it.
    marked: bool,
    /// The children that are marked or hold one that is.
    children: Vec<u32>,
}

impl<'a> Plan<'a> {
    /// The plan for these marks. A mark that is no region of the previous rendering means that more changed than the
    /// marks say: everything is rendered.
    pub(crate) fn marked(previous: &'a Arc<Node>, marks: &[Box<str>]) -> Self {
        fn visit(
            node: &Arc<Node>,
            marks: &[Box<str>],
            found: &mut usize,
            open: &mut HashMap<*const Node, Opened>,
        ) -> bool {
            let mut opened = Opened { marked: marks.iter().any(|mark| *mark == node.id), children: Vec::new() };
            *found += usize::from(opened.marked);
            for (at, child) in node.children.iter().enumerate() {
                if visit(child, marks, found, open) {
                    opened.children.push(at as u32);
                }
            }
            let runs = opened.marked || !opened.children.is_empty() || node.children.iter().any(|child| child.watches);
            if runs {
                open.insert(Arc::as_ptr(node), opened);
            }
            runs
        }
        let (mut found, mut open) = (0, HashMap::new());
        visit(previous, marks, &mut found, &mut open);
        if found < marks.len() || marks.iter().any(|mark| &**mark == ROOT) {
            return Self::All(Some(previous));
        }
        Self::Marked { previous, open }
    }

    fn previous(&self) -> Option<&Arc<Node>> {
        match self {
            Self::All(previous) => *previous,
            Self::Marked { previous, .. } => Some(previous),
        }
    }
}

/// Keeps what regions gave while a render function runs.
pub(crate) struct Recorder<'a> {
    plan: Plan<'a>,
    /// The version of what changes now.
    seq: Seq,
    /// The regions whose closures are running, outermost first.
    frames: RefCell<Vec<Frame>>,
    /// Whether the page has a place for flash messages.
    pub(crate) flash_placed: Cell<bool>,
}

/// A region whose closure is running.
struct Frame {
    previous: Option<Arc<Node>>,
    /// Where among the previous children the next one is expected.
    cursor: usize,
    /// Whether all inside it is to be rendered.
    all: bool,
    /// The regions spliced so far.
    children: Vec<Arc<Node>>,
}

/// Stands in the markup for a region until the markup around it is complete. Random for each process and never sent, so
/// that no content can imitate it.
pub(crate) static PLACEHOLDER: LazyLock<String> =
    LazyLock::new(|| format!("\u{1}{:032x}\u{1}", rand::random::<u128>()));

/// Looks for [`PLACEHOLDER`]; made once, as making it costs more than most searches.
static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(PLACEHOLDER.as_bytes()));

/// The digits of the child's number behind a placeholder.
const NUMBER: usize = 8;

impl<'a> Recorder<'a> {
    pub(crate) fn new(plan: Plan<'a>, seq: Seq) -> Self {
        Self { plan, seq, frames: RefCell::default(), flash_placed: Cell::new(false) }
    }

    /// What the region around the one being rendered knows of it: its previous rendering, and whether it must run anyway.
    fn previous(&self, id: &str) -> (Option<Arc<Node>>, bool) {
        let mut frames = self.frames.borrow_mut();
        let Some(frame) = frames.last_mut() else {
            let all = matches!(self.plan, Plan::All(_));
            return (self.plan.previous().cloned(), all);
        };
        let children = frame.previous.as_ref().map_or(&[][..], |previous| &previous.children);
        let expected = children.get(frame.cursor).filter(|child| &*child.id == id);
        let at =
            if expected.is_some() { Some(frame.cursor) } else { children.iter().position(|child| &*child.id == id) };
        let found = at.map(|at| {
            frame.cursor = at + 1;
            children[at].clone()
        });
        (found, frame.all)
    }

    /// Renders a region, or takes its previous rendering where that still holds.
    pub(crate) fn region(
        &self,
        id: &str,
        extent: Extent,
        dependency: Option<u64>,
        body: impl FnOnce() -> Markup,
    ) -> Arc<Node> {
        let (previous, mut all) = self.previous(id);
        let opened = self.opened(previous.as_ref());
        all |= previous.is_none() || opened.is_some_and(|opened| opened.marked);
        all |= previous.as_ref().is_some_and(|previous| previous.dependency != dependency);
        match previous {
            // The root always runs: it is how the marked regions are reached, and what is not in a region is compared for free.
            Some(previous) if !all && opened.is_none() && id != ROOT => previous,
            previous => self.run(id, extent, dependency, previous, all, body),
        }
    }

    fn opened(&self, previous: Option<&Arc<Node>>) -> Option<&Opened> {
        match &self.plan {
            Plan::All(_) => None,
            Plan::Marked { open, .. } => previous.and_then(|previous| open.get(&Arc::as_ptr(previous))),
        }
    }

    fn run(
        &self,
        id: &str,
        extent: Extent,
        dependency: Option<u64>,
        previous: Option<Arc<Node>>,
        all: bool,
        body: impl FnOnce() -> Markup,
    ) -> Arc<Node> {
        let frame = Frame { previous: previous.clone(), cursor: 0, all, children: Vec::new() };
        self.frames.borrow_mut().push(frame);
        let markup = body().into_string();
        let children = self.frames.borrow_mut().pop().map(|frame| frame.children).unwrap_or_default();
        let (html, holes, children) = split(markup, children);
        let (id, version) = (id.into(), self.seq);
        Node { id, extent, html, holes, children, version, dependency, watches: false }.settle(previous.as_ref())
    }

    /// Renders the rows of a list that must be.
    pub(crate) fn rows<T>(
        &self,
        id: &str,
        items: &[T],
        key: &dyn Fn(&T) -> Box<str>,
        row: &dyn Fn(&T) -> Markup,
    ) -> Arc<Node> {
        let (previous, mut all) = self.previous(id);
        let opened = self.opened(previous.as_ref());
        all |= opened.is_some_and(|opened| opened.marked);
        if let (Some(previous), false) = (&previous, all) {
            let Some(opened) = opened else { return previous.clone() };
            if let Some(node) = self.some_rows(previous, &opened.children, items, key, row) {
                return node;
            }
        }
        let frame = Frame { previous: previous.clone(), cursor: 0, all: true, children: Vec::new() };
        self.frames.borrow_mut().push(frame);
        let render = |item: &T| self.region(&key(item), Extent::Outer, None, || row(item));
        let children = items.iter().map(render).collect();
        self.frames.borrow_mut().pop();
        self.list(id, children, previous.as_ref())
    }

    /// Renders only these rows; nothing when the list is no longer the one they were marked in.
    fn some_rows<T>(
        &self,
        previous: &Arc<Node>,
        rows: &[u32],
        items: &[T],
        key: &dyn Fn(&T) -> Box<str>,
        row: &dyn Fn(&T) -> Markup,
    ) -> Option<Arc<Node>> {
        let same = |&at: &u32| {
            let shown = previous.children.get(at as usize).map(|row| &*row.id);
            shown.is_some() && shown == items.get(at as usize).map(key).as_deref()
        };
        if items.len() != previous.children.len() || !rows.iter().all(same) {
            return None;
        }
        let mut children = previous.children.clone();
        for &at in rows {
            let at = at as usize;
            let frame = Frame { previous: Some(previous.clone()), cursor: at, all: false, children: Vec::new() };
            self.frames.borrow_mut().push(frame);
            children[at] = self.region(&previous.children[at].id, Extent::Outer, None, || row(&items[at]));
            self.frames.borrow_mut().pop();
        }
        Some(self.list(&previous.id, children, Some(previous)))
    }

    fn list(&self, id: &str, children: Box<[Arc<Node>]>, previous: Option<&Arc<Node>>) -> Arc<Node> {
        let (id, version) = (id.into(), self.seq);
        let (html, holes) = (Box::default(), Box::default());
        Node { id, extent: Extent::Inner, html, holes, children, version, dependency: None, watches: false }
            .settle(previous)
    }

    /// Leaves a mark in the markup where the region stands.
    pub(crate) fn place(&self, node: Arc<Node>, out: &mut String) {
        let mut frames = self.frames.borrow_mut();
        let Some(frame) = frames.last_mut() else { return node.write(out) };
        out.push_str(&PLACEHOLDER);
        let number = frame.children.len();
        let digit = |at: usize| char::from(b"0123456789abcdef"[(number >> (4 * at)) & 15]);
        out.extend((0..NUMBER).rev().map(digit));
        frame.children.push(node);
    }
}

/// A region's own HTML, its holes, and what stands in them.
type Parts = (Box<str>, Box<[u32]>, Box<[Arc<Node>]>);

/// Takes the placeholders out of a region's markup: its own HTML, where its children stand, and they in that order.
fn split(markup: String, children: Vec<Arc<Node>>) -> Parts {
    if children.is_empty() {
        return (markup.into(), Box::default(), Box::default());
    }
    let placeholders = children.len() * (PLACEHOLDER.len() + NUMBER);
    let (mut html, mut from) = (String::with_capacity(markup.len().saturating_sub(placeholders)), 0);
    let (mut holes, mut placed) = (Vec::with_capacity(children.len()), Vec::with_capacity(children.len()));
    for at in FINDER.find_iter(markup.as_bytes()) {
        html.push_str(&markup[from..at]);
        let number = at + PLACEHOLDER.len();
        from = number + NUMBER;
        let child = usize::from_str_radix(&markup[number..from], 16).ok().and_then(|number| children.get(number));
        if let Some(child) = child {
            holes.push(html.len() as u32);
            placed.push(child.clone());
        }
    }
    html.push_str(&markup[from..]);
    (html.into(), holes.into(), placed.into())
}
