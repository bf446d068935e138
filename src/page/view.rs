//! What `render` is given: the state, and a way to name the parts of the page that change on their own.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use maud::{Markup, PreEscaped, Render};

use super::flash::Flash;
use super::once::once;
use super::record::{Plan, Recorder};
use super::rendered::{FLASH, Node, ROOT};
use crate::edge::{Identity, UserError, Who};

/// The state of a session as [`Page::render`](crate::Page::render) sees it. Derefs to the state.
///
/// Regions are recorded while they are spliced into the markup. One that is clean since the last rendering costs
/// nothing: its closure does not run.
///
/// # Example
///
/// ```
/// use mizu::prelude::*;
///
/// #[derive(Serialize, Deserialize)]
/// struct State { count: i64, rows: Vec<String> }
///
/// fn render(view: &View<State>) -> Markup {
///     html! {
///         h1 { "Counter" }
///         (view.region("stats", || html! { "Count: " (view.count) }))
///         (view.each("rows", &view.rows, |row| format!("row-{row}"), |row| html! { li id={ "row-" (row) } { (row) } }).tag("ul"))
///     }
/// }
/// # let state = State { count: 1, rows: vec!["a".into()] };
/// # assert_eq!(mizu::testing::render_once(&state, render),
/// #     r#"<h1>Counter</h1><div id="stats">Count: 1</div><ul id="rows"><li id="row-a">a</li></ul>"#);
/// ```
pub struct View<'a, S> {
    state: &'a S,
    flash: &'a Flash,
    who: &'a Who,
    recorder: Recorder<'a>,
}

impl<S> Deref for View<'_, S> {
    type Target = S;

    fn deref(&self) -> &S {
        self.state
    }
}

impl<'a, S> View<'a, S> {
    pub(crate) fn new(state: &'a S, flash: &'a Flash, who: &'a Who, plan: &'a Plan<'a>) -> Self {
        Self { state, flash, who, recorder: Recorder::new(plan) }
    }

    /// A part of the page that is rendered, compared and sent on its own: an element of this id.
    ///
    /// The closure runs for the first rendering and when the region, one around it or one inside it was marked.
    /// The element is a `div` unless [`Region::tag`] says otherwise.
    pub fn region<'v, F: Fn() -> Markup>(&'v self, id: impl Into<Cow<'v, str>>, body: F) -> Region<'v, F> {
        Region::new(&self.recorder, id, body)
    }

    /// A region that looks the same to everybody who shows the same value: rendered once for all sessions of this server, and
    /// compared once for all that go from the same to the same.
    ///
    /// The closure gets the value and nothing else. It must capture nothing, which is checked when the page is compiled, so that no page of one
    /// person gets into that of another. A value that is not equal to the one before renders the region anew; no mark is needed. Rows of a scope are told
    /// apart by their version: [`Rows::snapshot`](crate::Rows::snapshot).
    ///
    /// ```
    /// use mizu::prelude::*;
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct State { score: (u32, u32), nickname: String }
    ///
    /// fn render(view: &View<State>) -> Markup {
    ///     html! {
    ///         p { "Hello " (view.nickname) }
    ///         (view.shared("score", &view.score, |(home, away)| html! { (home) " : " (away) }).tag("output"))
    ///     }
    /// }
    /// # let state = State { score: (1, 2), nickname: "A".into() };
    /// # assert_eq!(mizu::testing::render_once(&state, render), r#"<p>Hello A</p><output id="score">1 : 2</output>"#);
    /// ```
    ///
    /// A closure that knows more than the value does not compile:
    ///
    /// ```compile_fail
    /// # use mizu::prelude::*;
    /// fn render(view: &View<String>) -> Markup {
    ///     let name: String = view.to_string();
    ///     html! { (view.shared("name", &1, move |_| html! { (name) })) }
    /// }
    /// # mizu::testing::render_once(&String::new(), render);
    /// ```
    pub fn shared<'v, V, R>(
        &'v self,
        id: impl Into<Cow<'v, str>>,
        value: &'v V,
        render: R,
    ) -> Region<'v, Shared<'v, V, R>>
    where
        V: Hash + Eq + Clone + Send + Sync + 'static,
        R: Fn(&V) -> Markup + 'static,
    {
        Region::new(&self.recorder, id, Shared { value, render })
    }

    /// A list of keyed rows, each a region of its own: marking one renders that one without visiting the others.
    ///
    /// `key` gives the id of a row's element, `row` gives that element with the id on it. Rows are added, removed and
    /// reordered by marking the list itself. The element around them is a `div` unless [`Region::tag`] says otherwise.
    pub fn each<'v, T, I, K, R>(
        &'v self,
        id: impl Into<Cow<'v, str>>,
        items: &'v [T],
        key: K,
        row: R,
    ) -> Region<'v, Each<'v, T, K, R>>
    where
        I: Into<Box<str>>,
        K: Fn(&T) -> I,
        R: Fn(&T) -> Markup,
    {
        Region::new(&self.recorder, id, Each { items, key, row })
    }

    /// The place of a stream: an element of this id and the attribute `data-lv-stream`. Its items come from [`Ctx::stream`](crate::Ctx::stream); a mark or a patch of what is
    /// around it leaves them as they are.
    ///
    /// It stays the same element for as long as the page shows it: with another tag, or in another region, it is another one and begins empty.
    ///
    /// ```
    /// use mizu::prelude::*;
    ///
    /// fn render(view: &View<u8>) -> Markup {
    ///     html! { (view.stream("messages").tag("ol").class("chat")) }
    /// }
    /// # assert_eq!(mizu::testing::render_once(&7, render), r#"<ol id="messages" data-lv-stream="" class="chat"></ol>"#);
    /// ```
    pub fn stream<'v>(&'v self, id: impl Into<Cow<'v, str>>) -> Region<'v, Place> {
        Region::new(&self.recorder, id, Place { _private: () }).attribute("data-lv-stream", "")
    }

    /// The place where flash messages show. Without it they show at the top of the page.
    ///
    /// ```
    /// use mizu::prelude::*;
    ///
    /// fn render(view: &View<()>) -> Markup {
    ///     html! { main { (view.flash()) } }
    /// }
    /// # assert!(mizu::testing::render_once(&(), render).starts_with(r#"<main><div id="lv-flash""#));
    /// ```
    pub fn flash(&self) -> impl Render {
        self.recorder.flash_placed.set(true);
        self.region(FLASH, || self.flash.markup()).attribute("role", "status").attribute("aria-live", "polite")
    }

    /// The identity this session belongs to.
    ///
    /// # Errors
    ///
    /// When the app's identity is of another type, or none is configured.
    pub fn user<I: Identity>(&self) -> Result<&I, UserError> {
        self.who.require()
    }

    /// Says that the page needs no place for flash messages: it is no whole page.
    #[cfg(feature = "testing")]
    pub(crate) fn without_flash(self) -> Self {
        self.recorder.flash_placed.set(true);
        self
    }

    /// Runs a page's render function and keeps what it gave as a tree.
    pub(crate) fn record(&self, render: impl FnOnce(&Self) -> Markup) -> Arc<Node> {
        let recorder = &self.recorder;
        recorder.region(ROOT, None, || {
            let page = render(self);
            if recorder.flash_placed.get() {
                return page;
            }
            let mut flash = self.flash().render().into_string();
            flash.push_str(&page.into_string());
            PreEscaped(flash)
        })
    }
}

/// An element around regions: its tag and attributes.
struct Element<'v> {
    tag: &'v str,
    attributes: Vec<(&'v str, Cow<'v, str>)>,
}

impl<'v> Element<'v> {
    fn new(tag: &'v str) -> Self {
        Self { tag, attributes: Vec::new() }
    }

    fn wrap(&self, id: &str, out: &mut String, inside: impl FnOnce(&mut String)) {
        out.push('<');
        out.push_str(self.tag);
        out.push_str(" id=\"");
        id.render_to(out);
        for (name, value) in &self.attributes {
            out.push_str("\" ");
            out.push_str(name);
            out.push_str("=\"");
            value.render_to(out);
        }
        out.push_str("\">");
        inside(out);
        out.push_str("</");
        out.push_str(self.tag);
        out.push('>');
    }
}

/// A part of a page about to be spliced into markup; see [`View::region`], [`View::each`], [`View::shared`] and [`View::stream`].
#[must_use = "a region shows only where it is spliced: (view.region(..))"]
pub struct Region<'v, B> {
    recorder: &'v Recorder<'v>,
    id: Cow<'v, str>,
    element: Element<'v>,
    dependency: Option<u64>,
    body: B,
}

/// What a list shows; see [`View::each`].
pub struct Each<'v, T, K, R> {
    items: &'v [T],
    key: K,
    row: R,
}

/// What a region shows that is the same for many; see [`View::shared`].
pub struct Shared<'v, V, R> {
    value: &'v V,
    render: R,
}

/// What a stream shows is not the server's; see [`View::stream`].
#[derive(Debug)]
pub struct Place {
    _private: (),
}

impl<'v, B> Region<'v, B> {
    fn new(recorder: &'v Recorder<'v>, id: impl Into<Cow<'v, str>>, body: B) -> Self {
        Self { recorder, id: id.into(), element: Element::new("div"), dependency: None, body }
    }

    /// The element's tag, `div` by default.
    ///
    /// ```
    /// use mizu::prelude::*;
    ///
    /// fn render(view: &View<u8>) -> Markup {
    ///     html! { (view.region("count", || html! { (**view) }).tag("output").class("big").attribute("for", "a b")) }
    /// }
    /// # assert_eq!(mizu::testing::render_once(&7, render), r#"<output id="count" class="big" for="a b">7</output>"#);
    /// ```
    pub fn tag(mut self, tag: &'v str) -> Self {
        self.element.tag = tag;
        self
    }

    /// The element's classes.
    pub fn class(self, class: impl Into<Cow<'v, str>>) -> Self {
        self.attribute("class", class)
    }

    /// One more attribute of the element. It belongs to the region around this one, as the element itself does.
    pub fn attribute(mut self, name: &'v str, value: impl Into<Cow<'v, str>>) -> Self {
        self.element.attributes.push((name, value.into()));
        self
    }

    fn splice(&self, node: Arc<Node>, out: &mut String) {
        self.element.wrap(&self.id, out, |out| self.recorder.place(node, out));
    }
}

impl<F: Fn() -> Markup> Region<'_, F> {
    /// Marks the region whenever the hash of `dependency` is another than at the last rendering, so that no handler has to.
    ///
    /// ```
    /// use mizu::prelude::*;
    ///
    /// fn render(view: &View<Vec<u8>>) -> Markup {
    ///     html! { (view.region("sum", || html! { (view.iter().sum::<u8>()) }).on(&**view)) }
    /// }
    /// # assert_eq!(mizu::testing::render_once(&vec![1, 2], render), r#"<div id="sum">3</div>"#);
    /// ```
    pub fn on<D: Hash + ?Sized>(mut self, dependency: &D) -> Self {
        let mut hasher = DefaultHasher::new();
        (self.dependency, dependency.hash(&mut hasher)).0.hash(&mut hasher);
        self.dependency = Some(hasher.finish());
        self
    }
}

impl<F: Fn() -> Markup> Render for Region<'_, F> {
    fn render_to(&self, out: &mut String) {
        self.splice(self.recorder.region(&self.id, self.dependency, || (self.body)()), out);
    }
}

impl<T, I, K, R> Render for Region<'_, Each<'_, T, K, R>>
where
    I: Into<Box<str>>,
    K: Fn(&T) -> I,
    R: Fn(&T) -> Markup,
{
    fn render_to(&self, out: &mut String) {
        let Each { items, key, row } = &self.body;
        self.splice(self.recorder.rows(&self.id, items, &|item| key(item).into(), row), out);
    }
}

impl Render for Region<'_, Place> {
    fn render_to(&self, out: &mut String) {
        self.splice(self.recorder.stream(&self.id), out);
    }
}

impl<V, R> Render for Region<'_, Shared<'_, V, R>>
where
    V: Hash + Eq + Clone + Send + Sync + 'static,
    R: Fn(&V) -> Markup + 'static,
{
    fn render_to(&self, out: &mut String) {
        let Shared { value, render } = &self.body;
        self.splice(self.recorder.given(&self.id, || once(&self.id, *value, render)), out);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use maud::html;
    use proptest::prelude::*;

    use super::*;
    use crate::page::history::History;
    use crate::page::patch;
    use crate::page::record::PLACEHOLDER;
    use crate::page::wire::Seq;

    /// A state, and which closures ran.
    #[derive(Default)]
    struct Probe {
        a: u32,
        b: u32,
        rows: Vec<(u32, u32)>,
        ran: RefCell<Vec<String>>,
    }

    impl Probe {
        fn ran(&self, what: impl Into<String>) {
            self.ran.borrow_mut().push(what.into());
        }
    }

    fn page(view: &View<Probe>) -> Markup {
        html! {
            h1 { "Title" }
            (view.region("outer", || {
                view.ran("outer");
                html! {
                    "a=" (view.a)
                    (view.region("inner", || { view.ran("inner"); html! { "b=" (view.b) } }))
                    (view.region("watch", || { view.ran("watch"); html! { (view.b) } }).on(&view.b))
                }
            }))
            (view.each("rows", &view.rows, |row| format!("row-{}", row.0), |row| {
                view.ran(format!("row-{}", row.0));
                html! { li id={ "row-" (row.0) } { (row.1) (view.region(format!("cell-{}", row.0), || html! { (row.1) })) } }
            }).tag("ul"))
        }
    }

    fn record(state: &Probe, plan: &Plan<'_>) -> Arc<Node> {
        state.ran.borrow_mut().clear();
        let (flash, who) = (Flash::default(), Who::anybody());
        View::new(state, &flash, &who, plan).without_flash().record(page)
    }

    fn check(marks: &[&str], change: impl FnOnce(&mut Probe), ran: &[&str], patched: &[&str]) {
        let mut state = Probe { rows: vec![(1, 10), (2, 20), (3, 30)], ..Probe::default() };
        let old = record(&state, &Plan::All(None));
        change(&mut state);
        let marks: Vec<Box<str>> = marks.iter().map(|&mark| mark.into()).collect();
        let new = record(&state, &Plan::marked(&old, &marks));
        assert_eq!(*state.ran.borrow(), ran, "what ran for {marks:?}");
        let patches = patch::between(&old, &new);
        let ids: Vec<_> = patches.iter().map(|region| &*region.id).collect();
        assert_eq!(ids, patched, "what is sent for {marks:?}");
        let fresh = record(&state, &Plan::All(None));
        if !patched.is_empty() {
            assert_eq!(new.html(), fresh.html());
        }
        // A browser that has seen the first rendering needs the same regions, or those that hold them.
        let mut history = History::default();
        history.record(&patches, Seq::default().next());
        let since = history.since(Seq::default(), &new);
        assert!(
            ids.is_empty() == since.is_empty() && since.iter().all(|region| ids.contains(&&*region.id)),
            "{since:?}"
        );
    }

    #[test]
    fn only_marked_regions_run_and_only_changed_ones_are_sent() {
        let rows = ["row-1", "row-2", "row-3"];
        // What is around a marked region runs to reach it, and is compared as well.
        check(&["inner"], |state| state.a = 7, &["outer", "inner"], &["outer"]);
        check(&["outer"], |_| {}, &["outer", "inner", "watch"], &[]);
        check(&["outer"], |state| state.a = 7, &["outer", "inner", "watch"], &["outer"]);
        // A region with a dependency marks itself; to find out, what is around it runs.
        check(&["inner"], |state| state.b = 7, &["outer", "inner", "watch"], &["inner", "watch"]);
        check(&["row-2"], |state| state.rows[1].1 = 21, &["outer", "row-2"], &["row-2"]);
        check(&["cell-3"], |state| state.rows[2].1 = 31, &["outer", "row-3"], &["row-3"]);
        check(&["rows"], |state| state.rows[0].1 = 11, &["outer", "row-1", "row-2", "row-3"], &["row-1"]);
        check(&["rows"], |state| state.rows.push((4, 40)), &["outer", "row-1", "row-2", "row-3", "row-4"], &["rows"]);
        // A mark in a list that has changed since renders the list.
        check(&["row-2"], |state| _ = state.rows.remove(0), &["outer", "row-2", "row-3"], &["rows"]);
        // A mark that is no region yet means everything.
        let all = ["outer", "inner", "watch", rows[0], rows[1], rows[2]];
        check(&["new"], |state| state.b = 1, &all, &["inner", "watch"]);
        check(&["lv-root"], |_| {}, &all, &[]);
    }

    #[test]
    fn content_can_not_imitate_a_region() {
        let state = format!("{}00000000", *PLACEHOLDER);
        let evil = |view: &View<String>| html! { (view.region("a", || html! { "x" })) p { (view.as_str()) } };
        let (flash, who) = (Flash::default(), Who::anybody());
        // Even with the right placeholder, which nobody outside knows, nothing worse than a repeated region comes of it.
        let view = View::new(&state, &flash, &who, &Plan::All(None)).without_flash();
        assert!(view.record(evil).html().starts_with(r#"<div id="a">x</div>"#));
    }

    #[test]
    fn a_region_spliced_in_a_part_made_before_still_has_its_place() {
        let render = |view: &View<()>| {
            let part = html! { (view.region("b", || html! { "2" })) };
            html! { (view.region("a", || html! { "1" })) (part) }
        };
        let html = crate::testing::render_once(&(), render);
        assert_eq!(html, r#"<div id="a">1</div><div id="b">2</div>"#);
    }

    proptest! {
        /// Whatever changes and whatever is marked besides: patching the old rendering gives the new one, by the tree.
        #[test]
        fn patches_lead_from_old_to_new(
            a in 0..3u32, b in 0..3u32,
            before in proptest::collection::vec((0..60u32, 0..3u32), 0..50),
            after in proptest::collection::vec((0..60u32, 0..3u32), 0..50),
        ) {
            let unique = |rows: Vec<(u32, u32)>| {
                let mut seen = std::collections::HashSet::new();
                rows.into_iter().filter(|row| seen.insert(row.0)).collect::<Vec<_>>()
            };
            let mut state = Probe { rows: unique(before), ..Probe::default() };
            let old = record(&state, &Plan::All(None));
            (state.a, state.b, state.rows) = (a, b, unique(after));
            let new = record(&state, &Plan::All(Some(&old)));
            prop_assert_eq!(new.html(), record(&state, &Plan::All(None)).html());
            prop_assert_eq!(patch::between(&old, &new).is_empty(), old.html() == new.html());
            let fingerprint = old.fingerprint(7);
            prop_assert_eq!(fingerprint.changed(&new, 7).is_empty(), old.html() == new.html());
        }
    }
}
