//! What a user of the framework writes: the trait of a page.

use maud::Markup;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ctx::Ctx;
use super::document::Document;
use super::error::{Error, Result};
use super::event::Event;
use super::session::Session;
use super::view::View;

/// A page: a type with state on the server, HTML made from it, and what people do to it.
///
/// [`mizu::page`](crate::page()) makes a route of it. Every visit is a session with a state of its own; its callbacks run one after the
/// other, never two at once.
///
/// # Example
///
/// ```
/// use mizu::prelude::*;
///
/// struct Counter;
///
/// #[derive(Serialize, Deserialize)]
/// enum Do { Inc, Dec }
///
/// impl Page for Counter {
///     type State = i64;
///     type Message = ();
///
///     async fn mount(&self, _cx: &mut Ctx<Self>) -> Result<i64> { Ok(0) }
///
///     fn render(&self, view: &View<i64>) -> Markup {
///         html! {
///             button id="inc" form="lv" name="lv" value=(lv::event(Do::Inc)) { "+" }
///             (view.region("count", || html! { "Count: " (**view) }))
///         }
///     }
///
///     async fn handle(&self, _cx: &mut Ctx<Self>, session: &mut Session<i64>, event: Event) -> Result {
///         match event.decode()? {
///             Do::Inc => session.state += 1,
///             Do::Dec => session.state -= 1,
///         }
///         session.mark("count");
///         Ok(())
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let app = Router::new().route("/counter", mizu::page(Counter));
/// let mut page = mizu::testing::TestApp::new(app).connect("/counter").await;
/// page.click("#inc").await;
/// assert_eq!(page.text("#count"), "Count: 1");
/// # });
/// ```
pub trait Page: Send + Sync + Sized + 'static {
    /// What one visit remembers. Everything in it can be saved and restored; `#[serde(skip)]` leaves out what must not be.
    type State: Serialize + DeserializeOwned + Send + 'static;

    /// What the server tells a session: what its subscriptions, timers and tasks become. `()` where there is none.
    type Message: Send + 'static;

    /// Makes the state of a new visit.
    ///
    /// Runs for the first GET, and again only when that session is gone. The request is at hand here: [`Ctx::extract`].
    /// Subscriptions act at once, so what is read after them misses nothing; timers and tasks start when a browser with
    /// scripts has connected.
    fn mount(&self, cx: &mut Ctx<Self>) -> impl Future<Output = Result<Self::State>> + Send;

    /// Shows the state as HTML. Must depend on nothing else.
    fn render(&self, view: &View<Self::State>) -> Markup;

    /// Does what a person asked for. By default every event is refused as unknown.
    ///
    /// An error goes back to the browser with its code and public message; the session goes on.
    fn handle(
        &self,
        cx: &mut Ctx<Self>,
        session: &mut Session<Self::State>,
        event: Event,
    ) -> impl Future<Output = Result> + Send {
        let _ = (cx, session);
        std::future::ready(Err(Error::reject("unknown_event", format!("This page knows no event {:?}.", event.name()))))
    }

    /// Takes a message from a subscription, a timer or a task. By default it is dropped and nothing is rendered.
    fn info(
        &self,
        cx: &mut Ctx<Self>,
        session: &mut Session<Self::State>,
        message: Self::Message,
    ) -> impl Future<Output = Result> + Send {
        let _ = (cx, message);
        session.keep();
        std::future::ready(Ok(()))
    }

    /// Rows that the page watches have changed, and stand in the state already: the place to compute what depends on them. By default nothing else changes.
    ///
    /// ```
    /// use mizu::prelude::*;
    /// # use mizu::sync::Entity;
    /// # #[derive(Serialize, Deserialize)]
    /// # struct Todo { id: String, done: bool }
    /// # impl Entity for Todo {
    /// #     const NAME: &'static str = "todo";
    /// #     fn id(&self) -> &str { &self.id }
    /// # }
    /// #[derive(Serialize, Deserialize)]
    /// struct State { todos: Rows<Todo>, open: usize }
    /// # struct Todos;
    /// # impl Page for Todos {
    /// #     type State = State;
    /// #     type Message = ();
    /// #     async fn mount(&self, _: &mut Ctx<Self>) -> Result<State> { Ok(State { todos: Rows::default(), open: 0 }) }
    /// #     fn render(&self, _: &View<State>) -> Markup { html! {} }
    /// async fn refresh(&self, _cx: &mut Ctx<Self>, session: &mut Session<State>) -> Result {
    ///     session.state.open = session.state.todos.iter().filter(|todo| !todo.done).count();
    ///     session.mark("open");
    ///     Ok(())
    /// }
    /// # }
    /// ```
    fn refresh(&self, cx: &mut Ctx<Self>, session: &mut Session<Self::State>) -> impl Future<Output = Result> + Send {
        let _ = cx;
        session.keep();
        std::future::ready(Ok(()))
    }

    /// The page is shown under another query now: the same path, new parameters. By default nothing changes.
    ///
    /// The request is at hand as in [`mount`](Self::mount). Not called for the first rendering.
    fn params(&self, cx: &mut Ctx<Self>, session: &mut Session<Self::State>) -> impl Future<Output = Result> + Send {
        let _ = cx;
        session.keep();
        std::future::ready(Ok(()))
    }

    /// The session has ended for good: the person left, or it waited too long for them to come back.
    fn unmount(&self, cx: &mut Ctx<Self>, session: &mut Session<Self::State>) -> impl Future<Output = ()> + Send {
        let _ = (cx, session);
        std::future::ready(())
    }

    /// The document's title. When it changes, browsers are told.
    fn title(&self, view: &View<Self::State>) -> String {
        let _ = view;
        String::new()
    }

    /// More for the document's `<head>`: stylesheets, meta tags.
    fn head(&self, view: &View<Self::State>) -> Markup {
        let _ = view;
        Markup::default()
    }

    /// The document around the page. The default one is complete; see [`Document`] for what another must splice.
    fn layout(&self, document: Document) -> Markup {
        document.default_layout()
    }
}
