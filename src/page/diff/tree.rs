//! HTML as a tree of slices: a reader of what maud writes, not of what browsers accept.

use std::cell::Cell;
use std::sync::LazyLock;

use foldhash::{HashMap, HashMapExt, HashSet};

use super::attributes::attribute;

/// A node of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind<'a> {
    Element {
        tag: &'a str,
        /// The opening tag, brackets included.
        open: &'a str,
        id: Option<&'a str>,
        /// What tells it from its siblings: its id, or its `data-key`.
        key: Option<&'a str>,
        /// What is inside is not for stepping into: text that is no HTML, a document of its own.
        opaque: bool,
    },
    Text,
    Comment,
    /// A region inside this one, by its place among the region's children.
    Hole(u32),
}

#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) kind: Kind<'a>,
    /// All of it.
    pub(super) outer: &'a str,
    /// The holes in it.
    pub(super) holes: std::ops::Range<u32>,
    /// Where `outer` begins.
    pub(super) start: u32,
    /// Its first child, and the next child of its parent.
    first: u32,
    next: u32,
    /// Behind the last node in it: those between are all in it.
    end: u32,
}

/// No node.
const NONE: u32 = u32::MAX;

/// The nodes of a region's own HTML.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    html: &'a str,
    pub(super) holes: &'a [u32],
}

/// What is special about elements of a name; most have nothing of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Class(u16);

impl Class {
    /// It has no end tag.
    const VOID: Self = Self(1);
    /// Its content is not looked at.
    const OPAQUE: Self = Self(1 << 1);
    /// A browser makes it by itself, or reads on in another way behind it.
    const REFUSED: Self = Self(1 << 2);
    /// A browser ends one of these where the next begins.
    const NEVER_NESTS: Self = Self(1 << 3);
    /// A browser ends a paragraph where one of these begins.
    const ENDS_PARAGRAPH: Self = Self(1 << 4);
    const HEADING: Self = Self(1 << 5);
    const PARAGRAPH: Self = Self(1 << 6);
    const SVG: Self = Self(1 << 7);
    /// It is particular about what stands in it: [`allowed`].
    const PARTICULAR: Self = Self(1 << 8);
    /// It is particular about where it stands: [`parents`].
    const PLACED: Self = Self(1 << 9);

    fn of(tag: &str) -> Self {
        CLASSES.get(tag).copied().unwrap_or_default()
    }

    fn is(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

static CLASSES: LazyLock<HashMap<&str, Class>> = LazyLock::new(|| {
    let names = [
        (Class::VOID, "area base br col embed hr img input link meta source track wbr"),
        (Class::OPAQUE, "iframe math noembed noframes noscript script style template textarea title"),
        (Class::REFUSED, "body frameset head html image isindex plaintext xmp"),
        (Class::NEVER_NESTS, "a button dd dt form li nobr optgroup option rp rt select"),
        (
            Class::ENDS_PARAGRAPH,
            "address article aside blockquote center dd details dialog dir div dl dt fieldset figcaption figure footer form \
             h1 h2 h3 h4 h5 h6 header hgroup hr li main menu nav ol p pre search section summary table ul",
        ),
        (Class::HEADING, "h1 h2 h3 h4 h5 h6"),
        (Class::PARAGRAPH, "p"),
        (Class::SVG, "svg"),
        (Class::PARTICULAR, "table tbody thead tfoot tr colgroup select optgroup"),
        (Class::PLACED, "caption colgroup tbody tfoot thead tr td th"),
    ];
    let mut classes: HashMap<&str, Class> = HashMap::new();
    for (class, names) in names {
        names.split_whitespace().for_each(|name| classes.entry(name).or_default().0 |= class.0);
    }
    classes
});

/// Deeper nests are given up on.
const DEPTH: usize = 400;

/// What may stand in the elements that are particular about it; nothing for those that are not.
fn allowed(parent: &str) -> Option<&'static [&'static str]> {
    Some(match parent {
        "table" => &["caption", "colgroup", "tbody", "tfoot", "thead"],
        "tbody" | "thead" | "tfoot" => &["tr"],
        "tr" => &["td", "th"],
        "colgroup" => &["col"],
        "select" => &["hr", "optgroup", "option"],
        "optgroup" => &["option"],
        _ => return None,
    })
}

/// Where an element must stand; nothing for those that may stand anywhere.
fn parents(tag: &str) -> Option<&'static [&'static str]> {
    Some(match tag {
        "caption" | "colgroup" | "tbody" | "tfoot" | "thead" => &["table"],
        "tr" => &["tbody", "tfoot", "thead"],
        "td" | "th" => &["tr"],
        _ => return None,
    })
}

impl<'a> Tree<'a> {
    /// Reads a region's own HTML with its holes; nothing for what a browser might make another tree of.
    pub(super) fn parse(html: &'a str, holes: &'a [u32]) -> Option<Self> {
        if memchr::memchr2(b'\r', 0, html.as_bytes()).is_some() {
            return None;
        }
        // Each element begins and ends, and most hold one text.
        let nodes = memchr::memchr_iter(b'<', html.as_bytes()).count() + holes.len() + 1;
        let mut reader = Reader::new(html, holes, nodes);
        while reader.step()? {}
        let Reader { tree: nodes, open, .. } = reader;
        open.is_empty().then_some(Self { nodes, html, holes })
    }

    /// Reads the element at the start of some HTML, which has no holes, and gives how long it is.
    pub(super) fn first(html: &'a str) -> Option<(Self, usize)> {
        let mut reader = Reader::new(html, &[], 16);
        while reader.step()? {
            if reader.open.is_empty() {
                let Reader { tree: nodes, at, .. } = reader;
                let clean = memchr::memchr2(b'\r', 0, &html.as_bytes()[..at]).is_none();
                return clean.then_some((Self { nodes, html, holes: &[] }, at));
            }
        }
        None
    }

    pub(super) fn node(&self, at: u32) -> &Node<'a> {
        &self.nodes[at as usize]
    }

    /// The nodes that are in no other.
    pub(super) fn roots(&self) -> impl Iterator<Item = u32> {
        self.chain(if self.nodes.is_empty() { NONE } else { 0 })
    }

    pub(super) fn children(&self, at: u32) -> impl Iterator<Item = u32> {
        self.chain(self.node(at).first)
    }

    /// A node and its siblings behind it.
    fn chain(&self, first: u32) -> impl Iterator<Item = u32> {
        let some = |at: u32| (at != NONE).then_some(at);
        std::iter::successors(some(first), move |&at| some(self.node(at).next))
    }

    fn id(&self, at: u32) -> Option<&'a str> {
        if let Kind::Element { id, .. } = self.node(at).kind { id } else { None }
    }

    /// All ids, each with its node; nothing where one stands twice.
    pub(super) fn ids(&self) -> Option<HashMap<&'a str, u32>> {
        let mut ids = HashMap::new();
        let mut all = (0..self.nodes.len() as u32).filter_map(|at| Some((self.id(at)?, at)));
        all.all(|(id, at)| ids.insert(id, at).is_none()).then_some(ids)
    }

    /// Whether the one node is in the other.
    pub(super) fn holds(&self, outer: u32, inner: u32) -> bool {
        (outer + 1..self.node(outer).end).contains(&inner)
    }

    /// The ids of a node and of all in it.
    pub(super) fn collect_ids(&self, at: u32, ids: &mut HashSet<&'a str>) {
        ids.extend(self.id(at));
        for child in self.children(at) {
            self.collect_ids(child, ids);
        }
    }

    /// Of each node the first of these ids that is in it, itself left aside. Nothing where there are none.
    pub(super) fn first_ids(&self, among: &HashMap<&str, (u32, u32)>) -> Vec<Option<&'a str>> {
        if among.is_empty() {
            return Vec::new();
        }
        let mut first = vec![None; self.nodes.len()];
        // Children come after their parents.
        for at in (0..self.nodes.len() as u32).rev() {
            let of = |child: u32| self.id(child).filter(|id| among.contains_key(id)).or(first[child as usize]);
            let found = self.children(at).find_map(of);
            first[at as usize] = found;
        }
        first
    }

    /// Appends the HTML of a node, with what is in its holes.
    pub(super) fn write(&self, at: u32, hole: &mut dyn FnMut(u32, &mut String), out: &mut String) {
        let Node { outer, holes, start, .. } = self.node(at);
        let mut from = *start as usize;
        for index in holes.clone() {
            let to = self.holes[index as usize] as usize;
            out.push_str(&self.html[from..to]);
            hole(index, out);
            from = to;
        }
        out.push_str(&self.html[from..*start as usize + outer.len()]);
    }
}

thread_local! {
    /// Room for the nodes of trees to come: that of short ones, which most are, is not asked for anew each time.
    static SPARE: Cell<Vec<Vec<Node<'static>>>> = const { Cell::new(Vec::new()) };
}

/// Room for more nodes than this is given back.
const SPARED: usize = 128;

fn spare() -> Vec<Node<'static>> {
    let mut spare = SPARE.take();
    let found = spare.pop();
    SPARE.set(spare);
    found.unwrap_or_else(|| Vec::with_capacity(SPARED))
}

impl Drop for Tree<'_> {
    fn drop(&mut self) {
        if self.nodes.capacity() <= SPARED {
            let mut nodes = std::mem::take(&mut self.nodes);
            nodes.clear();
            let mut spare = SPARE.take();
            // There are none left, so none is turned into another: it is the room that stays.
            spare.push(nodes.into_iter().map(|_| unreachable!("it is empty")).collect());
            SPARE.set(spare);
        }
    }
}

struct Reader<'a> {
    html: &'a str,
    holes: &'a [u32],
    at: usize,
    hole: usize,
    tree: Vec<Node<'a>>,
    /// The elements that are not at their end yet, innermost last.
    open: Vec<Open<'a>>,
    /// The newest of those that are in no other.
    newest: u32,
}

/// An element that is not at its end yet.
#[derive(Clone, Copy)]
struct Open<'a> {
    at: u32,
    tag: &'a str,
    class: Class,
    /// Its newest child.
    newest: u32,
}

impl<'a> Reader<'a> {
    /// With room for so many nodes at first.
    fn new(html: &'a str, holes: &'a [u32], nodes: usize) -> Self {
        let mut tree: Vec<Node<'a>> = if nodes <= SPARED { spare() } else { Vec::new() };
        tree.reserve(nodes);
        let open = Vec::with_capacity(8);
        Self { html, holes, at: 0, hole: 0, tree, open, newest: NONE }
    }

    /// Reads one node, or the end of one. Whether there is more.
    fn step(&mut self) -> Option<bool> {
        if self.holes.get(self.hole).is_some_and(|&hole| hole as usize == self.at) {
            let hole = self.hole as u32;
            self.hole += 1;
            self.add(Kind::Hole(hole), self.at, self.at);
            return Some(true);
        }
        let rest = &self.html[self.at..];
        if rest.is_empty() {
            return Some(false);
        }
        if !rest.starts_with('<') {
            return self.text();
        }
        if let Some(name) = rest.strip_prefix("</") {
            return self.close(name);
        }
        if rest.starts_with("<!--") {
            let end = self.at + rest.find("-->")? + 3;
            self.add(Kind::Comment, self.at, end);
            self.at = end;
            return Some(true);
        }
        rest.as_bytes().get(1).filter(|byte| byte.is_ascii_lowercase())?;
        self.element()
    }

    fn text(&mut self) -> Option<bool> {
        let end = memchr::memchr(b'<', &self.html.as_bytes()[self.at..]).map_or(self.html.len(), |end| self.at + end);
        let end = self.holes.get(self.hole).map_or(end, |&hole| end.min(hole as usize));
        let text = &self.html[self.at..end];
        let blank = text.bytes().all(|byte| byte.is_ascii_whitespace());
        // Text that no table may hold is moved out of it.
        if !blank && self.open.last().is_some_and(|parent| parent.class.is(Class::PARTICULAR)) {
            return None;
        }
        self.add(Kind::Text, self.at, end);
        self.at = end;
        Some(true)
    }

    fn close(&mut self, name: &'a str) -> Option<bool> {
        let tag = self.open.last()?.tag;
        name.strip_prefix(tag).filter(|rest| rest.starts_with('>'))?;
        self.at += tag.len() + 3;
        self.end();
        Some(true)
    }

    fn element(&mut self) -> Option<bool> {
        let start = self.at;
        let open = open_tag(&self.html[start..])?;
        let name = &open[1..open.len() - 1];
        let tag = &name[..name.find(|c: char| c.is_ascii_whitespace() || c == '/').unwrap_or(name.len())];
        if !tag.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
            // Names in SVG have large letters as well; there everything is read as it stands.
            self.inside(Class::SVG).then_some(())?;
        }
        let class = Class::of(tag);
        self.may_stand(tag, class)?;
        // A region that began in here would belong to no element.
        let inner = start + open.len();
        let early = self.holes.get(self.hole).is_some_and(|&hole| (hole as usize) < inner);
        if early || class.is(Class::REFUSED) || self.open.len() > DEPTH {
            return None;
        }
        let bare = open.len() == tag.len() + 2;
        let id = if bare { None } else { attribute(open, "id") };
        let key = id.or_else(|| if bare { None } else { attribute(open, "data-key") });
        let opaque = class.is(Class::OPAQUE);
        let at = self.add(Kind::Element { tag, open, id, key, opaque }, start, inner);
        self.at = inner;
        if class.is(Class::VOID) {
            return Some(true);
        }
        if open.ends_with("/>") {
            return self.inside(Class::SVG).then_some(true);
        }
        if tag == "pre" && self.html[inner..].starts_with('\n') {
            return None;
        }
        self.open.push(Open { at, tag, class, newest: NONE });
        if opaque {
            let end = inner + opaque_end(&self.html[inner..], tag)?;
            if self.holes.get(self.hole).is_some_and(|&hole| (hole as usize) < end) {
                return None;
            }
            self.at = end + tag.len() + 3;
            self.end();
        }
        Some(true)
    }

    /// Whether a browser would leave an element where it stands.
    fn may_stand(&self, tag: &str, class: Class) -> Option<()> {
        if let Some(parent) = self.open.last() {
            let fits =
                !parent.class.is(Class::PARTICULAR) || allowed(parent.tag).is_none_or(|allowed| allowed.contains(&tag));
            let placed = !class.is(Class::PLACED) || parents(tag).is_none_or(|parents| parents.contains(&parent.tag));
            (fits && placed).then_some(())?;
        }
        let nested = class.is(Class::NEVER_NESTS) && self.open.iter().any(|open| open.tag == tag) && !self.listed(tag);
        let ends = class.is(Class::ENDS_PARAGRAPH) && self.inside(Class::PARAGRAPH);
        let heads = class.is(Class::HEADING) && self.inside(Class::HEADING);
        (!nested && !ends && !heads).then_some(())
    }

    /// Items of a list inside an item of another.
    fn listed(&self, tag: &str) -> bool {
        let list: &[&str] = match tag {
            "li" => &["ul", "ol", "menu"],
            "dd" | "dt" => &["dl"],
            _ => return false,
        };
        self.open.last().is_some_and(|parent| list.contains(&parent.tag))
    }

    fn inside(&self, class: Class) -> bool {
        self.open.iter().any(|open| open.class.is(class))
    }

    fn add(&mut self, kind: Kind<'a>, start: usize, end: usize) -> u32 {
        let at = self.tree.len() as u32;
        let (parent, newest) = match self.open.last_mut() {
            Some(parent) => (parent.at, &mut parent.newest),
            None => (NONE, &mut self.newest),
        };
        match std::mem::replace(newest, at) {
            NONE if parent == NONE => {}
            NONE => self.tree[parent as usize].first = at,
            before => self.tree[before as usize].next = at,
        }
        let hole = self.hole as u32;
        let holes = if let Kind::Hole(index) = kind { index..index + 1 } else { hole..hole };
        let outer = &self.html[start..end];
        self.tree.push(Node { kind, outer, holes, start: start as u32, first: NONE, next: NONE, end: at + 1 });
        at
    }

    /// The innermost open element ends here.
    fn end(&mut self) {
        let Some(Open { at, .. }) = self.open.pop() else { return };
        let end = self.tree.len() as u32;
        let node = &mut self.tree[at as usize];
        node.end = end;
        node.outer = &self.html[node.start as usize..self.at];
        node.holes.end = self.hole as u32;
    }
}

/// The opening tag at the start of `html`, to its end.
pub(super) fn open_tag(html: &str) -> Option<&str> {
    let bytes = html.as_bytes();
    let mut at = 1;
    loop {
        at += memchr::memchr3(b'>', b'"', b'\'', &bytes[at..])?;
        match bytes[at] {
            b'>' => return Some(&html[..=at]),
            quote => at += memchr::memchr(quote, &bytes[at + 1..])? + 2,
        }
    }
}

/// Where the end tag of an element begins whose content is no HTML to step into.
fn opaque_end(inner: &str, tag: &str) -> Option<usize> {
    let (start, end) = (format!("<{tag}"), format!("</{tag}>"));
    let first = inner.find(&end)?;
    // One of its kind inside it: where the outer one ends takes more reading than it is worth.
    (!inner[..first].contains(&start)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(tree: &Tree<'_>, nodes: impl Iterator<Item = u32>) -> String {
        let one = |at: u32| match tree.node(at).kind {
            Kind::Element { tag, key, .. } => {
                let key = key.map(|key| format!("#{key}")).unwrap_or_default();
                format!("{tag}{key}[{}]", shape(tree, tree.children(at).collect::<Vec<_>>().into_iter()))
            }
            Kind::Text => format!("{:?}", tree.node(at).outer),
            Kind::Comment => "!".to_owned(),
            Kind::Hole(hole) => format!("({hole})"),
        };
        nodes.map(one).collect::<Vec<_>>().join(" ")
    }

    fn check(html: &str, expected: &str) {
        let tree = Tree::parse(html, &[]).unwrap_or_else(|| panic!("{html} is not read"));
        assert_eq!(shape(&tree, tree.roots()), expected, "{html}");
    }

    #[test]
    fn what_maud_writes_is_read() {
        check("a<b>c</b>d", r#""a" b["c"] "d""#);
        check(
            r#"<ul><li id="x">1</li><li data-key="y">2<ul><li>3</li></ul></li></ul>"#,
            r#"ul[li#x["1"] li#y["2" ul[li["3"]]]]"#,
        );
        check(r#"<input value="a > b"><br>x<!-- c -->"#, r#"input[] br[] "x" !"#);
        check("<table><tbody><tr><td>1</td></tr></tbody></table>", r#"table[tbody[tr[td["1"]]]]"#);
        check("<tr><td>1</td></tr>", r#"tr[td["1"]]"#);
        check("<textarea><b></textarea><script>if (a < b) {}</script>", "textarea[] script[]");
        check(
            r#"<svg viewBox="0 0 1 1"><path d=""/><linearGradient></linearGradient></svg>"#,
            "svg[path[] linearGradient[]]",
        );
        check("<my-part><p>a</p></my-part>", r#"my-part[p["a"]]"#);
    }

    #[test]
    fn what_a_browser_would_rearrange_is_given_up_on() {
        for html in [
            "<p>a<div>b</div></p>",
            "<table><tr><td>1</td></tr></table>",
            "<table>x</table>",
            "<div><tr></tr></div>",
            "<li>a<li>b</li></li>",
            "<a><b><a></a></b></a>",
            "<b>a</i>",
            "<b>a",
            "</b>",
            "<div/>",
            "<pre>\na</pre>",
            "a\r\nb",
            "<select><b></b></select>",
            "<!DOCTYPE html>",
            "<body></body>",
            "<DIV></DIV>",
            "<h1><h2></h2></h1>",
            "<",
            "<b",
            r#"<b a=">"#,
        ] {
            assert!(Tree::parse(html, &[]).is_none(), "{html}");
        }
    }

    #[test]
    fn holes_have_their_places() {
        let (html, holes) = (r#"<div id="a"></div>x<ul></ul>"#, [12, 23, 23]);
        let tree = Tree::parse(html, &holes).unwrap();
        assert_eq!(shape(&tree, tree.roots()), r#"div#a[(0)] "x" ul[(1) (2)]"#);
        let mut out = String::new();
        for root in tree.roots() {
            tree.write(root, &mut |hole, out| out.push_str(&format!("<{hole}>")), &mut out);
        }
        assert_eq!(out, r#"<div id="a"><0></div>x<ul><1><2></ul>"#);
        assert!(Tree::parse(html, &[3]).is_none(), "no region begins within a tag");
    }
}
