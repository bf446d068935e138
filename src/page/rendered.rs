//! What a page looked like: a tree of regions, each with the HTML that is its own.
//!
//! `render` gives a tree, two trees give a patch ([`super::patch`]). A region's HTML has holes where regions inside it stand, so
//! that a change is found and sent for the innermost region it happened in. A region that did not change is the same `Arc` in
//! the old tree and the new one, and what many sessions show is one `Arc` in the trees of all of them ([`super::intern`]).
//!
//! The rows of a list stand in blocks, a dozen or so in one piece of HTML: a row that changes costs a block, and a thousand rows cost
//! what their HTML does. A [`Part`] is what both a region and a row are to whoever compares or sends them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use foldhash::{HashMap, HashMapExt};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The id of the region that is the whole page.
pub(crate) const ROOT: &str = "lv-root";

/// The id of the region that shows flash messages.
pub(crate) const FLASH: &str = "lv-flash";

/// Rows in a block.
pub(crate) const BLOCK: usize = 32;

/// How a part relates to the element that carries its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// It is what the element holds; the element belongs to the region around it.
    Inner,
    /// It is the element: a row of [`View::each`](crate::View::each).
    Outer,
}

/// One region as it was rendered, or some rows of a list.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// The id of a region; nothing for rows.
    pub(crate) id: Arc<str>,
    /// The node's own HTML.
    pub(crate) html: Box<str>,
    /// Where in `html` the children stand, ascending. A list has no HTML of its own, and no holes: its children are its blocks.
    pub(crate) holes: Box<[u32]>,
    pub(crate) children: Box<[Arc<Node>]>,
    /// What the HTML is made of, where this is a block.
    pub(crate) rows: Option<Box<Rows>>,
    /// The hash of what `.on(..)` named.
    pub(crate) dependency: Option<u64>,
    /// Whether this region or one inside it has a dependency, and must be looked at whenever anything changes.
    pub(crate) watches: bool,
    /// Whether a stream stands here, which is all that this region is, or inside.
    pub(crate) streams: bool,
    /// Where in a list each row is; found when it is first asked for, and the same for as long as the rows are.
    pub(crate) index: OnceLock<Arc<Index>>,
}

/// The rows of a block, whose HTML follows one another.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Their ids, one after the other.
    pub(crate) ids: String,
    /// Where each one's id, HTML and children end.
    pub(crate) ends: Vec<Row>,
}

/// The end of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) id: u32,
    pub(crate) html: u32,
    pub(crate) children: u32,
}

/// Rows by the hashes of their ids: block and row.
pub(crate) type Index = HashMap<u64, (u32, u32)>;

/// A region or a row: what is compared and sent on its own.
#[derive(Clone, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) id: &'a str,
    pub(crate) extent: Extent,
    pub(crate) html: &'a str,
    pub(crate) holes: Cow<'a, [u32]>,
    pub(crate) children: &'a [Arc<Node>],
}

impl<'a> Part<'a> {
    /// Whether both show the same when what their children show is left aside.
    pub(crate) fn same_frame(&self, other: &Self) -> bool {
        self.html == other.html
            && self.holes == other.holes
            && self.extent == other.extent
            && self.children.len() == other.children.len()
            && self.children.iter().zip(other.children).all(|(one, two)| one.same_place(two))
    }

    /// The bytes of HTML in this part and all inside it.
    pub(crate) fn len(&self) -> usize {
        self.html.len() + self.children.iter().map(|child| child.len()).sum::<usize>()
    }

    /// Appends the HTML of this part and all inside it.
    pub(crate) fn write(&self, out: &mut String) {
        write(self.html, &self.holes, self.children, out);
    }

    pub(crate) fn html(&self) -> String {
        let mut out = String::with_capacity(self.len());
        self.write(&mut out);
        out
    }

    /// The parts right inside this one: regions, and rows where it is a list.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part<'a>> {
        self.children.iter().flat_map(|child| child.parts())
    }

    /// Every part, outermost first.
    pub(crate) fn walk(&self, visit: &mut impl FnMut(&Self)) {
        visit(self);
        self.parts().for_each(|part| part.walk(visit));
    }

    fn hash(&self, seed: u64) -> u64 {
        let own = xxh3_64_with_seed(self.html.as_bytes(), seed);
        self.holes.iter().fold(own ^ self.children.len() as u64, |hash, &hole| {
            (hash ^ u64::from(hole)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
        })
    }
}

fn write(html: &str, holes: &[u32], children: &[Arc<Node>], out: &mut String) {
    let mut from = 0;
    for (at, child) in children.iter().enumerate() {
        let to = holes.get(at).map_or(html.len(), |&hole| hole as usize);
        out.push_str(&html[from..to]);
        child.write(out);
        from = to;
    }
    out.push_str(&html[from..]);
}

impl Node {
    pub(crate) fn new(id: Arc<str>, html: String, holes: Vec<u32>, dependency: Option<u64>) -> Self {
        let (html, holes, children) = (html.into(), holes.into(), Box::default());
        Self {
            id,
            html,
            holes,
            children,
            rows: None,
            dependency,
            watches: false,
            streams: false,
            index: OnceLock::new(),
        }
    }

    /// A page that was never rendered.
    pub(crate) fn empty() -> Arc<Self> {
        Arc::new(Self { id: ROOT.into(), ..Self::default() })
    }

    pub(crate) fn part(&self) -> Part<'_> {
        let Self { id, html, holes, children, .. } = self;
        Part { id, extent: Extent::Inner, html, holes: Cow::Borrowed(holes), children }
    }

    /// Itself, or the rows that it is.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let own = self.rows.is_none().then(|| self.part());
        own.into_iter().chain((0..self.row_count()).map(|row| self.row(row)))
    }

    /// One of its rows.
    pub(crate) fn row(&self, at: usize) -> Part<'_> {
        let nothing = Part { id: "", extent: Extent::Outer, html: "", holes: Cow::Borrowed(&[]), children: &[] };
        let Some(rows) = &self.rows else { return nothing };
        let Some(end) = rows.ends.get(at) else { return nothing };
        let start = at.checked_sub(1).map_or_else(Row::default, |before| rows.ends[before]);
        let children = start.children as usize..end.children as usize;
        let holes = match &self.holes[children.clone()] {
            [] => Cow::Borrowed(&[][..]),
            holes => holes.iter().map(|hole| hole - start.html).collect(),
        };
        let html = &self.html[start.html as usize..end.html as usize];
        Part {
            id: &rows.ids[start.id as usize..end.id as usize],
            extent: Extent::Outer,
            html,
            holes,
            children: &self.children[children],
        }
    }

    /// How many rows it has, if it is a block.
    pub(crate) fn row_count(&self) -> usize {
        self.rows.as_ref().map_or(0, |rows| rows.ends.len())
    }

    /// Which of its children stand in a row.
    pub(crate) fn row_children(&self, at: usize) -> Range<usize> {
        let end =
            |at: usize| self.rows.as_ref().and_then(|rows| rows.ends.get(at)).map_or(0, |row| row.children as usize);
        at.checked_sub(1).map_or(0, end)..end(at)
    }

    /// Whether its children are blocks of rows.
    pub(crate) fn is_list(&self) -> bool {
        self.children.first().is_some_and(|first| first.rows.is_some())
    }

    /// Where the row of this id is, if this is a list and has one.
    pub(crate) fn find_row(&self, id: &str) -> Option<(u32, u32)> {
        if !self.is_list() {
            return None;
        }
        let index = self.index.get_or_init(|| {
            let mut index = Index::with_capacity(self.children.len() * BLOCK);
            for (block, rows) in self.children.iter().enumerate() {
                for (row, part) in rows.parts().enumerate() {
                    index.insert(xxh3_64(part.id.as_bytes()), (block as u32, row as u32));
                }
            }
            Arc::new(index)
        });
        let found = *index.get(&xxh3_64(id.as_bytes()))?;
        (self.children[found.0 as usize].row(found.1 as usize).id == id).then_some(found)
    }

    /// Whether both stand for the same region, or the same rows, whatever these show.
    fn same_place(&self, other: &Self) -> bool {
        match (&self.rows, &other.rows) {
            (None, None) => self.id == other.id,
            (Some(one), Some(two)) => {
                let ends = one.ends.iter().map(|row| row.id);
                std::ptr::eq(one, two) || (one.ids == two.ids && ends.eq(two.ends.iter().map(|row| row.id)))
            }
            _ => false,
        }
    }

    /// The same with other children, which show the same.
    pub(crate) fn with_children(&self, children: Vec<Arc<Self>>) -> Self {
        let Self { id, html, holes, rows, dependency, watches, streams, index, .. } = self;
        let rows = rows.as_ref().map(|rows| Box::new(Rows { ids: rows.ids.clone(), ends: rows.ends.clone() }));
        Self {
            id: id.clone(),
            html: html.clone(),
            holes: holes.clone(),
            children: children.into(),
            rows,
            dependency: *dependency,
            watches: *watches,
            streams: *streams,
            index: index.clone(),
        }
    }

    /// Whether both are the same but for what their children are.
    pub(crate) fn same_own(&self, other: &Self) -> bool {
        self.id == other.id
            && self.html == other.html
            && self.holes == other.holes
            && self.rows == other.rows
            && self.dependency == other.dependency
            && self.watches == other.watches
            && self.streams == other.streams
            && self.children.len() == other.children.len()
    }

    /// The node to keep after rendering: the previous one when nothing changed, so that unchanged parts stay shared.
    pub(crate) fn settle(mut self, previous: Option<&Arc<Self>>) -> Arc<Self> {
        self.watches = self.dependency.is_some() || self.children.iter().any(|child| child.watches);
        self.streams |= self.children.iter().any(|child| child.streams);
        let Some(previous) = previous else { return Arc::new(self) };
        if self.same_own(previous) && self.children.iter().zip(&previous.children).all(|(a, b)| Arc::ptr_eq(a, b)) {
            return previous.clone();
        }
        if let Some(index) = previous.index.get()
            && self.children.len() == previous.children.len()
            && self.children.iter().zip(&previous.children).all(|(one, two)| one.same_place(two))
        {
            self.index = index.clone().into();
        }
        Arc::new(self)
    }

    /// Appends the HTML of this region and all inside it.
    pub(crate) fn write(&self, out: &mut String) {
        write(&self.html, &self.holes, &self.children, out);
    }

    /// The bytes of HTML in this region and all inside it.
    pub(crate) fn len(&self) -> usize {
        self.html.len() + self.children.iter().map(|child| child.len()).sum::<usize>()
    }

    /// The bytes of memory this region and all inside it hold: its part of what it shares with others.
    pub(crate) fn footprint(self: &Arc<Self>) -> usize {
        let rows = self
            .rows
            .as_ref()
            .map_or(0, |rows| size_of::<Rows>() + rows.ids.capacity() + rows.ends.capacity() * size_of::<Row>());
        let index = self.index.get().map_or(0, |index| index.capacity() * size_of::<(u64, (u32, u32))>());
        let own = size_of::<Self>() + 2 * size_of::<usize>() + self.id.len() + self.html.len();
        let own = own + 4 * self.holes.len() + rows + index;
        let all = own + self.children.iter().map(|child| size_of::<usize>() + child.footprint()).sum::<usize>();
        all / Arc::strong_count(self).max(1)
    }

    pub(crate) fn html(&self) -> String {
        self.part().html()
    }

    /// The region or row of this id, here or inside.
    pub(crate) fn find(&self, id: &str) -> Option<Part<'_>> {
        if self.rows.is_none() && &*self.id == id {
            return Some(self.part());
        }
        if let Some((block, row)) = self.find_row(id) {
            return Some(self.children[block as usize].row(row as usize));
        }
        self.children.iter().find_map(|child| child.find(id))
    }

    /// Every region and row, outermost first.
    pub(crate) fn walk(&self, visit: &mut impl FnMut(&Part<'_>)) {
        self.part().walk(visit);
    }

    /// Ids that stand twice in the page. Patches could not tell them apart.
    pub(crate) fn duplicate_ids(&self) -> Vec<String> {
        let (mut seen, mut twice) = (HashSet::new(), Vec::new());
        self.walk(&mut |part| {
            if !seen.insert(part.id.to_owned()) {
                twice.push(part.id.to_owned());
            }
        });
        twice
    }

    /// Ids that no region of an app may have.
    pub(crate) fn unfit_ids(&self) -> Vec<String> {
        let mut unfit = Vec::new();
        let mut first = true;
        self.walk(&mut |part| {
            let own = std::mem::replace(&mut first, false);
            let id = part.id;
            if !own && (id.is_empty() || id.contains(char::is_whitespace) || matches!(id, ROOT | "lv")) {
                unfit.push(id.to_owned());
            }
        });
        unfit
    }

    /// Rows whose element does not carry the row's key as its id. Patches would not find them.
    pub(crate) fn rows_without_id(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        self.walk(&mut |part| {
            let tag = part.html.trim_start().split('>').next().unwrap_or_default();
            if part.extent == Extent::Outer && !tag.contains(&format!("id=\"{}\"", part.id)) {
                wrong.push(part.id.to_owned());
            }
        });
        wrong
    }

    /// What a token says this page showed.
    pub(crate) fn fingerprint(&self, seed: u64) -> Fingerprint {
        let mut hashes = Vec::new();
        self.walk(&mut |part| hashes.push(part.hash(seed)));
        if hashes.len() > Fingerprint::REGIONS {
            let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect();
            hashes = vec![xxh3_64_with_seed(&bytes, seed)];
        }
        Fingerprint(hashes.into())
    }
}

/// Hashes of what a page showed, outermost region first: of every region, or one of all where there are many.
///
/// Equal fingerprints are taken for equal pages only for the browser that was given the fingerprint, signed. The seed comes
/// from the server's secret, so nobody can look for two pages that collide.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Fingerprint(Box<[u64]>);

impl Fingerprint {
    /// Pages with more regions than this are hashed as one, to keep their tokens short.
    const REGIONS: usize = 16;

    pub(crate) fn from_hashes(hashes: Vec<u64>) -> Self {
        Self(hashes.into())
    }

    pub(crate) fn hashes(&self) -> &[u64] {
        &self.0
    }

    /// The outermost parts in which `shown` differs from this page, as far as can be told.
    pub(crate) fn changed<'a>(&self, page: &'a Node, seed: u64) -> Vec<Part<'a>> {
        fn visit<'a>(part: Part<'a>, differs: &mut impl Iterator<Item = bool>, out: &mut Vec<Part<'a>>) {
            if differs.next().unwrap_or(true) {
                // What stands inside is sent with it; its hashes are passed over.
                part.parts().for_each(|inside| inside.walk(&mut |_| _ = differs.next()));
                out.push(part);
            } else {
                part.parts().for_each(|inside| visit(inside, differs, out));
            }
        }
        let now = page.fingerprint(seed);
        if now == *self {
            return Vec::new();
        }
        let comparable = now.0.len() == self.0.len() && now.0.len() > 1;
        if !comparable {
            return vec![page.part()];
        }
        let mut out = Vec::new();
        visit(page.part(), &mut now.0.iter().zip(&self.0).map(|(now, shown)| now != shown), &mut out);
        out
    }
}
