//! Keeps what regions give while a render function runs, and lets only those run that must.
//!
//! A region that is spliced leaves a placeholder in the markup around it. When that markup is complete the placeholders are taken
//! out, and where they stood are the holes of its [`Node`].

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use maud::Markup;
use memchr::memmem::Finder;

use super::intern::intern;
use super::rendered::{BLOCK, Node, Part, ROOT, Row, Rows};

/// Which regions a rendering must look into.
pub(crate) enum Plan<'a> {
    /// All: the first rendering, or one of which it is not known what changed.
    All(Option<&'a Arc<Node>>),
    /// Those marked, on top of a previous rendering.
    Marked { previous: &'a Arc<Node>, opened: Rc<Opened> },
}

/// Why a region's closure runs again.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    /// The region itself is marked, and so is all inside it.
    marked: bool,
    /// What is marked inside it or holds something that is, by its place among the children, or among the rows of a block. Ascending.
    inside: Vec<(u32, Rc<Opened>)>,
}

impl Opened {
    fn get(&self, at: usize) -> Option<Rc<Self>> {
        let found = self.inside.binary_search_by_key(&(at as u32), |(place, _)| *place).ok()?;
        Some(self.inside[found].1.clone())
    }
}

/// The marks that are looked for, and how many were found.
struct Search<'a> {
    marks: &'a [Box<str>],
    found: usize,
    /// Whether to look inside of rows.
    deep: bool,
}

impl Search<'_> {
    fn part(&mut self, part: &Part<'_>) -> Option<Rc<Opened>> {
        let marked = self.marks.iter().any(|mark| **mark == *part.id);
        self.found += usize::from(marked);
        self.inside(part.children, marked)
    }

    fn inside(&mut self, children: &[Arc<Node>], marked: bool) -> Option<Rc<Opened>> {
        let inside = children.iter().enumerate().filter_map(|(at, child)| Some((at as u32, self.node(child)?)));
        let inside: Vec<_> = inside.collect();
        // Whoever has a dependency finds out by itself whether it changed, and must be reached for that.
        let runs = marked || !inside.is_empty() || watched(children);
        runs.then(|| Rc::new(Opened { marked, inside }))
    }

    fn node(&mut self, node: &Arc<Node>) -> Option<Rc<Opened>> {
        match () {
            () if node.rows.is_some() => {
                let rows = node.parts().enumerate();
                let inside: Vec<_> = rows.filter_map(|(at, row)| Some((at as u32, self.part(&row)?))).collect();
                (!inside.is_empty()).then(|| Rc::new(Opened { marked: false, inside }))
            }
            () if node.is_list() && !self.deep && !node.watches => self.list(node),
            () => self.part(&node.part()),
        }
    }

    /// The rows of a list that are marked, without a look at the others.
    fn list(&mut self, list: &Arc<Node>) -> Option<Rc<Opened>> {
        let marked = self.marks.iter().any(|mark| **mark == *list.id);
        let mut rows: Vec<_> = self.marks.iter().filter_map(|mark| list.find_row(mark)).collect();
        self.found += rows.len() + usize::from(marked);
        rows.sort_unstable();
        let row = |&(_, row): &(u32, u32)| (row, Rc::new(Opened { marked: true, inside: Vec::new() }));
        let block = |rows: &[(u32, u32)]| {
            let inside = rows.iter().map(row).collect();
            (rows[0].0, Rc::new(Opened { marked: false, inside }))
        };
        let inside: Vec<_> = rows.chunk_by(|one, two| one.0 == two.0).map(block).collect();
        (marked || !inside.is_empty()).then(|| Rc::new(Opened { marked, inside }))
    }
}

fn watched(children: &[Arc<Node>]) -> bool {
    children.iter().any(|child| child.watches)
}

impl<'a> Plan<'a> {
    /// The plan for these marks. A mark that is no region of the previous rendering means that more changed than the
    /// marks say: everything is rendered.
    pub(crate) fn marked(previous: &'a Arc<Node>, marks: &[Box<str>]) -> Self {
        if marks.iter().any(|mark| **mark == *ROOT) {
            return Self::All(Some(previous));
        }
        for deep in [false, true] {
            let mut search = Search { marks, found: 0, deep };
            let opened = search.node(previous).unwrap_or_default();
            if search.found >= marks.len() {
                return Self::Marked { previous, opened };
            }
        }
        Self::All(Some(previous))
    }
}

/// Keeps what regions gave while a render function runs.
pub(crate) struct Recorder<'a> {
    plan: &'a Plan<'a>,
    /// The regions whose closures are running, outermost first.
    frames: RefCell<Vec<Frame>>,
    /// Whether the page has a place for flash messages.
    pub(crate) flash_placed: Cell<bool>,
}

/// A region or row whose closure is running.
#[derive(Default)]
struct Frame {
    before: Option<Before>,
    /// Where among those the next one is expected.
    cursor: usize,
    opened: Option<Rc<Opened>>,
    /// Whether all inside it is to be rendered.
    all: bool,
    /// The regions spliced so far.
    children: Vec<Arc<Node>>,
}

/// What was inside a region or row before: some children of a node.
type Before = (Arc<Node>, Range<usize>);

/// What a closure gave: its markup without what regions inside it gave, where those stand, and they in that order.
struct Made {
    html: String,
    holes: Vec<u32>,
    children: Vec<Arc<Node>>,
}

/// What is known of a region that is about to be rendered.
struct Known {
    previous: Option<Arc<Node>>,
    opened: Option<Rc<Opened>>,
    /// Whether it runs whatever is said of it.
    all: bool,
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
    pub(crate) fn new(plan: &'a Plan<'a>) -> Self {
        Self { plan, frames: RefCell::default(), flash_placed: Cell::new(false) }
    }

    /// What the region around the one being rendered knows of it.
    fn known(&self, id: &str) -> Known {
        let mut frames = self.frames.borrow_mut();
        let Some(frame) = frames.last_mut() else {
            return match self.plan {
                Plan::All(previous) => Known { previous: previous.cloned(), opened: None, all: true },
                Plan::Marked { previous, opened } => {
                    Known { previous: Some((*previous).clone()), opened: Some(opened.clone()), all: opened.marked }
                }
            };
        };
        let mut known = Known { previous: None, opened: None, all: frame.all };
        let Some((node, range)) = &frame.before else { return known };
        let is = |at: &usize| *node.children[*at].id == *id;
        let expected = range.start + frame.cursor;
        let found = if range.contains(&expected) && is(&expected) { Some(expected) } else { range.clone().find(is) };
        if let Some(at) = found {
            frame.cursor = at + 1 - range.start;
            known.previous = Some(node.children[at].clone());
            known.opened = frame.opened.as_ref().and_then(|opened| opened.get(at - range.start));
            known.all |= known.opened.as_ref().is_some_and(|opened| opened.marked);
        }
        known
    }

    /// Renders a region, or takes its previous rendering where that still holds.
    pub(crate) fn region(&self, id: &str, dependency: Option<u64>, body: impl FnOnce() -> Markup) -> Arc<Node> {
        let Known { previous, opened, mut all } = self.known(id);
        all |= previous.as_ref().is_none_or(|previous| previous.dependency != dependency);
        match previous {
            // The root always runs: it is how the marked regions are reached, and what is not in a region is compared for free.
            Some(previous) if !all && opened.is_none() && id != ROOT => previous,
            previous => {
                let inside = previous.as_ref().map_or(0, |previous| previous.children.len());
                let before = previous.map(|previous| (previous, 0..inside));
                let (Made { html, holes, children }, before) = self.run(before, opened, all, body);
                let previous = before.map(|(previous, _)| previous);
                let id = previous.as_ref().map_or_else(|| id.into(), |previous| previous.id.clone());
                self.settle(Node::new(id, html, holes, dependency), children, previous.as_ref())
            }
        }
    }

    /// Runs a closure. Gives back what was known before.
    fn run(
        &self,
        before: Option<Before>,
        opened: Option<Rc<Opened>>,
        all: bool,
        body: impl FnOnce() -> Markup,
    ) -> (Made, Option<Before>) {
        self.frames.borrow_mut().push(Frame { before, opened, all, ..Frame::default() });
        let markup = body().into_string();
        let Frame { before, children, .. } = self.frames.borrow_mut().pop().unwrap_or_default();
        (split(markup, children), before)
    }

    fn settle(&self, mut node: Node, children: Vec<Arc<Node>>, previous: Option<&Arc<Node>>) -> Arc<Node> {
        node.children = children.into();
        let node = node.settle(previous);
        if previous.is_none_or(|previous| !Arc::ptr_eq(previous, &node)) { intern(node) } else { node }
    }

    /// A region that is the same for all who show the same value: whether it changed is for `make` to find.
    pub(crate) fn given(&self, id: &str, make: impl FnOnce() -> Arc<Node>) -> Arc<Node> {
        self.known(id);
        make()
    }

    /// The place of a stream: a region without HTML of its own.
    pub(crate) fn stream(&self, id: &str) -> Arc<Node> {
        let Known { previous, .. } = self.known(id);
        let node = Node { streams: true, ..Node::new(id.into(), String::new(), Vec::new(), None) };
        self.settle(node, Vec::new(), previous.as_ref())
    }

    /// Renders the rows of a list that must be.
    pub(crate) fn rows<T>(
        &self,
        id: &str,
        items: &[T],
        key: &dyn Fn(&T) -> Box<str>,
        row: &dyn Fn(&T) -> Markup,
    ) -> Arc<Node> {
        let Known { previous, opened, all } = self.known(id);
        if let (Some(previous), false) = (&previous, all) {
            let Some(opened) = opened else { return previous.clone() };
            if let Some(list) = self.some_rows(previous, &opened, items, key, row) {
                return list;
            }
        }
        let mut children = Vec::with_capacity(items.len().div_ceil(BLOCK));
        for (number, items) in items.chunks(BLOCK).enumerate() {
            let before = previous.as_ref().and_then(|list| list.children.get(number));
            let mut block = Block::new(before);
            for (at, item) in items.iter().enumerate() {
                let id = key(item);
                let before = previous.as_ref().and_then(|list| before_row(list, (number, at), &id));
                let (made, _) = self.run(before, None, true, || row(item));
                block.push(&id, made);
            }
            children.push(self.block(block, before));
        }
        let id = previous.as_ref().map_or_else(|| id.into(), |previous| previous.id.clone());
        let list = Node::new(id, String::new(), Vec::new(), None);
        self.settle(list, children, previous.as_ref())
    }

    /// Renders only the rows that are marked; nothing when the list is no longer the one they were marked in.
    fn some_rows<T>(
        &self,
        list: &Arc<Node>,
        opened: &Opened,
        items: &[T],
        key: &dyn Fn(&T) -> Box<str>,
        row: &dyn Fn(&T) -> Markup,
    ) -> Option<Arc<Node>> {
        let last = list.children.last().map_or(0, |block| block.row_count());
        if list.children.len().saturating_sub(1) * BLOCK + last != items.len() {
            return None;
        }
        let mut children = list.children.to_vec();
        for (number, opened) in &opened.inside {
            let (number, before) = (*number as usize, &list.children[*number as usize]);
            let mut block = Block::new(Some(before));
            let mut kept = 0;
            for (at, opened) in &opened.inside {
                let at = *at as usize;
                let item = items.get(number * BLOCK + at)?;
                if *key(item) != *before.row(at).id {
                    return None;
                }
                block.keep(before, kept..at);
                let (made, _) = self.run(
                    Some((before.clone(), before.row_children(at))),
                    Some(opened.clone()),
                    opened.marked,
                    || row(item),
                );
                block.push(before.row(at).id, made);
                kept = at + 1;
            }
            block.keep(before, kept..before.row_count());
            children[number] = self.block(block, Some(before));
        }
        let new = Node::new(list.id.clone(), String::new(), Vec::new(), None);
        Some(self.settle(new, children, Some(list)))
    }

    fn block(&self, block: Block, before: Option<&Arc<Node>>) -> Arc<Node> {
        let Block { rows, html, holes, children } = block;
        let id = before.map_or_else(Arc::default, |before| before.id.clone());
        let node = Node { rows: Some(Box::new(rows)), ..Node::new(id, html, holes, None) };
        self.settle(node, children, before)
    }

    /// Leaves a mark in the markup where the region stands.
    pub(crate) fn place(&self, node: Arc<Node>, out: &mut String) {
        let mut frames = self.frames.borrow_mut();
        let Some(frame) = frames.last_mut() else { return node.write(out) };
        let number = frame.children.len();
        out.push_str(&PLACEHOLDER);
        let digit = |at: usize| char::from(b"0123456789abcdef"[(number >> (4 * at)) & 15]);
        out.extend((0..NUMBER).rev().map(digit));
        frame.children.push(node);
    }
}

/// What was inside a row before, wherever it stood. Rows that held no regions leave nothing to know.
fn before_row(list: &Arc<Node>, expected: (usize, usize), id: &str) -> Option<Before> {
    let there = list.children.get(expected.0).filter(|block| *block.row(expected.1).id == *id);
    let (block, at) = match there {
        Some(block) => (block, expected.1),
        None if list.children.iter().all(|block| block.children.is_empty()) => return None,
        None => {
            let (block, row) = list.find_row(id)?;
            (&list.children[block as usize], row as usize)
        }
    };
    let children = block.row_children(at);
    (!children.is_empty()).then(|| (block.clone(), children))
}

/// A block of rows that is being made.
struct Block {
    rows: Rows,
    html: String,
    holes: Vec<u32>,
    children: Vec<Arc<Node>>,
}

impl Block {
    /// As large as the one before it, most likely.
    fn new(before: Option<&Arc<Node>>) -> Self {
        let like = |measure: fn(&Node) -> usize| before.map_or(0, |before| measure(before));
        let html = String::with_capacity(like(|node| node.html.len() + 16));
        let mut rows = Rows::default();
        rows.ends.reserve_exact(like(Node::row_count));
        Self { rows, html, holes: Vec::new(), children: Vec::new() }
    }

    fn push(&mut self, id: &str, Made { html, holes, children }: Made) {
        let start = self.html.len() as u32;
        self.rows.ids.push_str(id);
        self.html.push_str(&html);
        self.holes.extend(holes.into_iter().map(|hole| start + hole));
        self.children.extend(children);
        self.end();
    }

    fn end(&mut self) {
        let (id, html, children) = (self.rows.ids.len(), self.html.len(), self.children.len());
        self.rows.ends.push(Row { id: id as u32, html: html as u32, children: children as u32 });
    }

    /// Takes rows over as they are.
    fn keep(&mut self, block: &Node, rows: Range<usize>) {
        for at in rows {
            let row = block.row(at);
            let start = self.html.len() as u32;
            self.rows.ids.push_str(row.id);
            self.html.push_str(row.html);
            self.holes.extend(row.holes.iter().map(|hole| start + hole));
            self.children.extend(row.children.iter().cloned());
            self.end();
        }
    }
}

/// Takes the placeholders out of a region's markup: its own HTML, where its children stand, and they in that order.
fn split(markup: String, children: Vec<Arc<Node>>) -> Made {
    if children.is_empty() {
        return Made { html: markup, holes: Vec::new(), children };
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
    Made { html, holes, children: placed }
}
