//! What a page looked like: a tree of regions, each with the HTML that is its own.
//!
//! `render` gives a tree, two trees give a patch ([`super::patch`]). A region's HTML has holes where regions inside it stand, so
//! that a change is found, versioned and sent for the innermost region it happened in. A region that did not change is
//! the same `Arc` in the old tree and the new one.

use std::collections::HashSet;
use std::sync::Arc;

use super::wire::Seq;

/// The id of the region that is the whole page.
pub(crate) const ROOT: &str = "lv-root";

/// The id of the region that shows flash messages.
pub(crate) const FLASH: &str = "lv-flash";

/// How a region relates to the element that carries its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The region is what the element holds; the element belongs to the region around it.
    Inner,
    /// The region is the element: a row of [`View::each`](crate::View::each).
    Outer,
}

/// One region as it was rendered.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: Box<str>,
    pub(crate) extent: Extent,
    /// The region's own HTML.
    pub(crate) html: Box<str>,
    /// Where in `html` the children stand, ascending. Children beyond the last hole stand at the end.
    pub(crate) holes: Box<[u32]>,
    pub(crate) children: Box<[Arc<Node>]>,
    /// The patch that last changed this region's own HTML or which regions it holds.
    pub(crate) version: Seq,
    /// The hash of what `.on(..)` named.
    pub(crate) dependency: Option<u64>,
    /// Whether this region or one inside it has a dependency, and must be looked at whenever anything changes.
    pub(crate) watches: bool,
}

impl Node {
    /// A page that was never rendered.
    pub(crate) fn empty() -> Arc<Self> {
        let (html, holes, children) = (Box::default(), Box::default(), Box::default());
        let version = Seq::default();
        Arc::new(Self {
            id: ROOT.into(),
            extent: Extent::Inner,
            html,
            holes,
            children,
            version,
            dependency: None,
            watches: false,
        })
    }

    /// Whether both show the same when what their children show is left aside.
    pub(crate) fn same_frame(&self, other: &Self) -> bool {
        self.html == other.html
            && self.holes == other.holes
            && self.extent == other.extent
            && self.children.len() == other.children.len()
            && self.children.iter().zip(&other.children).all(|(one, two)| Arc::ptr_eq(one, two) || one.id == two.id)
    }

    fn same(&self, other: &Self) -> bool {
        self.dependency == other.dependency
            && self.same_frame(other)
            && self.children.iter().zip(&other.children).all(|(one, two)| Arc::ptr_eq(one, two))
    }

    /// The node to keep after rendering: the previous one when nothing changed, so that unchanged parts stay shared.
    pub(crate) fn settle(mut self, previous: Option<&Arc<Self>>) -> Arc<Self> {
        self.watches = self.dependency.is_some() || self.children.iter().any(|child| child.watches);
        if let Some(previous) = previous {
            if self.same(previous) {
                return previous.clone();
            }
            if self.same_frame(previous) {
                self.version = previous.version;
            }
        }
        Arc::new(self)
    }

    /// Appends the HTML of this region and all inside it.
    pub(crate) fn write(&self, out: &mut String) {
        let mut from = 0;
        for (at, child) in self.children.iter().enumerate() {
            let to = self.holes.get(at).map_or(self.html.len(), |&hole| hole as usize);
            out.push_str(&self.html[from..to]);
            child.write(out);
            from = to;
        }
        out.push_str(&self.html[from..]);
    }

    /// The bytes of HTML in this region and all inside it.
    pub(crate) fn len(&self) -> usize {
        self.html.len() + self.children.iter().map(|child| child.len()).sum::<usize>()
    }

    /// The bytes of memory this region and all inside it hold.
    pub(crate) fn footprint(&self) -> usize {
        let own = size_of::<Self>() + 2 * size_of::<usize>() + self.id.len() + self.html.len() + 4 * self.holes.len();
        own + self.children.iter().map(|child| size_of::<usize>() + child.footprint()).sum::<usize>()
    }

    pub(crate) fn html(&self) -> String {
        let mut out = String::with_capacity(self.len());
        self.write(&mut out);
        out
    }

    /// The region of this id, here or inside.
    pub(crate) fn find(self: &Arc<Self>, id: &str) -> Option<&Arc<Self>> {
        if &*self.id == id { Some(self) } else { self.children.iter().find_map(|child| child.find(id)) }
    }

    /// Every region, outermost first.
    pub(crate) fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        self.children.iter().for_each(|child| child.walk(visit));
    }

    /// Ids that stand twice in the page. Patches could not tell them apart.
    pub(crate) fn duplicate_ids(&self) -> Vec<&str> {
        let (mut seen, mut twice) = (HashSet::new(), Vec::new());
        self.walk(&mut |node| {
            if !seen.insert(&*node.id) {
                twice.push(&*node.id);
            }
        });
        twice
    }

    /// Ids that no region of an app may have.
    pub(crate) fn unfit_ids(&self) -> Vec<&str> {
        let mut unfit = Vec::new();
        self.children.iter().for_each(|child| {
            child.walk(&mut |node| {
                let id = &*node.id;
                if id.is_empty() || id.contains(char::is_whitespace) || matches!(id, ROOT | "lv") {
                    unfit.push(id);
                }
            });
        });
        unfit
    }

    /// Rows whose element does not carry the row's key as its id. Patches would not find them.
    pub(crate) fn rows_without_id(&self) -> Vec<&str> {
        let mut wrong = Vec::new();
        self.walk(&mut |node| {
            let tag = node.html.trim_start().split('>').next().unwrap_or_default();
            if node.extent == Extent::Outer && !tag.contains(&format!("id=\"{}\"", node.id)) {
                wrong.push(&*node.id);
            }
        });
        wrong
    }

    fn hash(&self, seed: u64) -> u64 {
        let own = xxhash_rust::xxh3::xxh3_64_with_seed(self.html.as_bytes(), seed);
        self.holes.iter().fold(own ^ self.children.len() as u64, |hash, &hole| {
            (hash ^ u64::from(hole)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
        })
    }

    /// What a token says this page showed.
    pub(crate) fn fingerprint(&self, seed: u64) -> Fingerprint {
        let mut hashes = Vec::new();
        self.walk(&mut |node| hashes.push(node.hash(seed)));
        if hashes.len() > Fingerprint::REGIONS {
            let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect();
            hashes = vec![xxhash_rust::xxh3::xxh3_64_with_seed(&bytes, seed)];
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

    /// The outermost regions in which `shown` differs from this page, as far as can be told.
    pub(crate) fn changed<'a>(&self, page: &'a Arc<Node>, seed: u64) -> Vec<&'a Arc<Node>> {
        fn visit<'a>(node: &'a Arc<Node>, differs: &mut impl Iterator<Item = bool>, out: &mut Vec<&'a Arc<Node>>) {
            if differs.next().unwrap_or(true) {
                out.push(node);
                // What stands inside is sent with it; its hashes are passed over.
                for child in &node.children {
                    child.walk(&mut |_| _ = differs.next());
                }
            } else {
                node.children.iter().for_each(|child| visit(child, differs, out));
            }
        }
        let now = page.fingerprint(seed);
        if now == *self {
            return Vec::new();
        }
        let comparable = now.0.len() == self.0.len() && now.0.len() > 1;
        if !comparable {
            return vec![page];
        }
        let mut out = Vec::new();
        visit(page, &mut now.0.iter().zip(&self.0).map(|(now, shown)| now != shown), &mut out);
        out
    }
}
