//! What callbacks do to a stream.

use std::sync::Arc;

use maud::Markup;

use super::streams::Streams;
use crate::page::stream_op::StreamOp;

/// A keyed collection that the browser keeps and the server does not: [`Ctx::stream`](crate::Ctx::stream) gives it, [`View::stream`](crate::View::stream) is its place.
///
/// An item is one element with an `id`, which is its key; markup may be several of them, which go in as a block. An item that is there already becomes the new
/// one in place, with the focus, selection and unsent text that is in it, and goes where the step says.
///
/// ```
/// use mizu::prelude::*;
///
/// struct Numbers;
///
/// fn item(number: u32) -> Markup { html! { li id={ "n" (number) } { (number) } } }
///
/// impl Page for Numbers {
///     type State = ();
///     type Message = ();
///
///     async fn mount(&self, cx: &mut Ctx<Self>) -> Result {
///         cx.stream("numbers").limit(100).append(html! { @for number in 1..=3 { (item(number)) } });
///         Ok(())
///     }
///
///     fn render(&self, view: &View<()>) -> Markup {
///         html! {
///             button id="more" data-lv-click="more" { "More" }
///             (view.stream("numbers").tag("ol"))
///         }
///     }
///
///     async fn handle(&self, cx: &mut Ctx<Self>, session: &mut Session<()>, _: Event) -> Result {
///         session.keep();     // nothing that render shows has changed
///         cx.stream("numbers").prepend(item(0)).insert(2, item(9)).upsert(item(3)).remove("n2");
///         Ok(())
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let app = mizu::testing::TestApp::new(Router::new().route("/", mizu::page(Numbers)));
/// # let mut page = app.connect("/").await;
/// # assert_eq!(page.text("#numbers"), "123");
/// # page.click("#more").await;
/// # assert_eq!(page.text("#numbers"), "0193");
/// # });
/// ```
#[derive(Debug)]
pub struct Stream<'c> {
    streams: &'c mut Streams,
    id: Arc<str>,
    dev: bool,
}

impl<'c> Stream<'c> {
    pub(crate) fn new(streams: &'c mut Streams, id: Arc<str>, dev: bool) -> Self {
        Self { streams, id, dev }
    }

    /// Puts items behind all others.
    ///
    /// ```
    /// # use mizu::prelude::*;
    /// fn say<P: Page>(cx: &mut Ctx<P>, id: u32, text: &str) {
    ///     cx.stream("messages").append(html! { li id={ "m" (id) } { (text) } });
    /// }
    /// ```
    pub fn append(&mut self, items: Markup) -> &mut Self {
        self.bring(items, StreamOp::Append)
    }

    /// Puts items before all others.
    ///
    /// ```
    /// # use mizu::prelude::*;
    /// fn earlier<P: Page>(cx: &mut Ctx<P>, ids: &[u32]) {
    ///     cx.stream("messages").prepend(html! { @for id in ids { li id={ "m" (id) } {} } });
    /// }
    /// ```
    pub fn prepend(&mut self, items: Markup) -> &mut Self {
        self.bring(items, StreamOp::Prepend)
    }

    /// Puts items before the one at this place, of those that don't come with them; 0 is the first. Beyond the end is the end.
    ///
    /// ```
    /// # use mizu::prelude::*;
    /// fn second<P: Page>(cx: &mut Ctx<P>, name: &str) {
    ///     cx.stream("scores").insert(1, html! { li id=(name) { (name) } });
    /// }
    /// ```
    pub fn insert(&mut self, at: usize, items: Markup) -> &mut Self {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        self.bring(items, |html, limit| StreamOp::Insert(html, at, limit))
    }

    /// Puts each item where one of its id is, and behind all others where there is none.
    ///
    /// ```
    /// # use mizu::prelude::*;
    /// fn score<P: Page>(cx: &mut Ctx<P>, name: &str, points: u32) {
    ///     cx.stream("scores").upsert(html! { li id=(name) { (name) ": " (points) } });
    /// }
    /// ```
    pub fn upsert(&mut self, items: Markup) -> &mut Self {
        self.bring(items, StreamOp::Upsert)
    }

    /// Takes the item of this id out; nothing happens where there is none.
    ///
    /// ```
    /// # use mizu::prelude::*;
    /// fn delete<P: Page>(cx: &mut Ctx<P>, id: u32) {
    ///     cx.stream("messages").remove(format!("m{id}"));
    /// }
    /// ```
    pub fn remove(&mut self, id: impl Into<Box<str>>) -> &mut Self {
        self.streams.push(&self.id, |_| StreamOp::Remove(id.into()));
        self
    }

    /// Takes all items out.
    ///
    /// ```
    /// # use mizu::prelude::*;
    /// fn enter<P: Page>(cx: &mut Ctx<P>, messages: Markup) {
    ///     cx.stream("messages").reset().append(messages);
    /// }
    /// ```
    pub fn reset(&mut self) -> &mut Self {
        self.streams.push(&self.id, |_| StreamOp::Reset);
        self
    }

    /// From now on there are at most so many items, in the browser as well: what an append or upsert pushes out goes from the front, what a prepend or
    /// insert pushes out goes from the end. 0 is no limit, as without this.
    ///
    /// ```
    /// # use mizu::prelude::*;
    /// fn feed<P: Page>(cx: &mut Ctx<P>, newest: Markup) {
    ///     cx.stream("feed").limit(50).prepend(newest);
    /// }
    /// ```
    pub fn limit(&mut self, most: usize) -> &mut Self {
        self.streams.limit(&self.id, u32::try_from(most).ok().filter(|most| *most > 0));
        self
    }

    fn bring(&mut self, items: Markup, op: impl FnOnce(Box<str>, Option<u32>) -> StreamOp) -> &mut Self {
        let html = items.into_string();
        if !html.trim().is_empty() {
            if self.dev {
                self.streams.check(&self.id, &html);
            }
            self.streams.push(&self.id, |limit| op(html.into(), limit));
        }
        self
    }
}
