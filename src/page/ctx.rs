//! What a page's callbacks can do besides changing their state.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::app::Live;
use super::asked::Asked;
use super::definition::Page;
use super::effects::{Effects, TaskHandle, TimerHandle};
use super::error::{Error, Result};
use super::mailbox::{Mailbox, Receive};
use super::notifier;
use super::publish;
use super::rows::{Held, Rows};
use super::session::IntoMarks;
use super::subscribed::Subscribed;
use super::token::SessionId;
use super::watch::{Poked, Watch, Watched};
use super::wire::Command;
use crate::edge::{Identity, UserError, Who};
use crate::live::{Ref, Subscription};
use crate::sync::{Access, ApplyError, Cursor, Engine, Entity, Mutation, Outcome, Reader, Rejection, Scope};

/// What a callback is given besides the session: subscriptions, timers, tasks, the request.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use mizu::prelude::*;
///
/// struct Clock;
///
/// enum Msg { Tick, Said(String) }
///
/// impl Page for Clock {
///     type State = Vec<String>;
///     type Message = Msg;
///
///     async fn mount(&self, cx: &mut Ctx<Self>) -> Result<Vec<String>> {
///         cx.subscribe("hall", Msg::Said).await?;
///         cx.every(Duration::from_secs(1), || Msg::Tick);
///         Ok(Vec::new())
///     }
///
///     fn render(&self, view: &View<Vec<String>>) -> Markup {
///         html! { @for line in view.iter() { p { (line) } } }
///     }
///
///     async fn info(&self, _cx: &mut Ctx<Self>, session: &mut Session<Vec<String>>, message: Msg) -> Result {
///         session.state.push(match message {
///             Msg::Tick => "tick".to_owned(),
///             Msg::Said(text) => text,
///         });
///         Ok(())
///     }
/// }
/// ```
pub struct Ctx<P: Page> {
    live: Live,
    session: SessionId,
    who: Who,
    mailbox: Arc<Mailbox<P::Message>>,
    subscriptions: Vec<Subscription>,
    watches: Vec<Watch>,
    /// What this callback wrote, and where the scopes' logs are since.
    written: Vec<(Scope, Cursor)>,
    /// The event at hand, and how many mutations it made.
    event: (Ref, u32),
    pub(crate) effects: Effects<P::Message>,
    pub(crate) commands: Vec<Command>,
    redirect: Option<String>,
    asked: Option<Box<Asked>>,
}

impl<P: Page> Ctx<P> {
    pub(crate) fn new(live: Live, session: SessionId, who: Who, asked: Asked) -> Self {
        let mailbox = Arc::new(Mailbox::new(live.settings().mailbox));
        let asked = Some(Box::new(asked));
        let (subscriptions, commands) = (Vec::new(), Vec::new());
        Self {
            live,
            session,
            who,
            mailbox,
            subscriptions,
            watches: Vec::new(),
            written: Vec::new(),
            event: (Ref::PUSH, 0),
            effects: Effects::default(),
            commands,
            redirect: None,
            asked,
        }
    }

    /// The server this page belongs to: to publish from, or to hand to a task.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// What names this session; it stays the same through reconnects.
    pub fn session_id(&self) -> SessionId {
        self.session
    }

    /// The identity this session belongs to.
    ///
    /// # Errors
    ///
    /// When the app's identity is of another type, or none is configured.
    pub fn user<I: Identity>(&self) -> Result<&I, UserError> {
        self.who.require()
    }

    /// Runs any axum extractor that needs no router state on the request at hand: path, query, headers, extensions.
    ///
    /// # Errors
    ///
    /// Outside `mount` and `params` there is no request. What the extractor refuses becomes an error of the status it answers with.
    ///
    /// ```
    /// use axum::extract::Path;
    /// use mizu::prelude::*;
    /// # struct Room;
    /// # impl Page for Room {
    /// #     type State = String;
    /// #     type Message = ();
    /// async fn mount(&self, cx: &mut Ctx<Self>) -> Result<String> {
    ///     let Path(name) = cx.extract::<Path<String>>().await?;
    ///     Ok(name)
    /// }
    /// #     fn render(&self, view: &View<String>) -> Markup { html! { p { (view.as_str()) } } }
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # let app = mizu::testing::TestApp::new(Router::new().route("/rooms/{name}", mizu::page(Room)));
    /// # assert_eq!(app.connect("/rooms/tea").await.text("p"), "tea");
    /// # });
    /// ```
    pub async fn extract<E: FromRequestParts<()>>(&mut self) -> Result<E> {
        let asked = self.asked.as_mut().ok_or(NoRequest)?;
        E::from_request_parts(&mut asked.parts, &()).await.map_err(refused)
    }

    /// Runs any axum extractor on the request at hand, with the router's state of type `S`.
    ///
    /// # Errors
    ///
    /// As [`extract`](Self::extract), and when the router's state is of another type.
    ///
    /// ```
    /// use axum::extract::State;
    /// use mizu::prelude::*;
    /// # struct Home;
    /// # impl Page for Home {
    /// #     type State = String;
    /// #     type Message = ();
    /// async fn mount(&self, cx: &mut Ctx<Self>) -> Result<String> {
    ///     let State(name) = cx.extract_with::<State<String>, String>().await?;
    ///     Ok(name)
    /// }
    /// #     fn render(&self, view: &View<String>) -> Markup { html! { p { (view.as_str()) } } }
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # let app = Router::new().route("/", mizu::page(Home)).with_state("Tea shop".to_owned());
    /// # assert_eq!(mizu::testing::TestApp::new(app).connect("/").await.text("p"), "Tea shop");
    /// # });
    /// ```
    pub async fn extract_with<E: FromRequestParts<S>, S: Send + Sync + 'static>(&mut self) -> Result<E> {
        let Asked { parts, state } = &mut **self.asked.as_mut().ok_or(NoRequest)?;
        let state = state.downcast_ref::<S>().ok_or(OtherState { wanted: std::any::type_name::<S>() })?;
        E::from_request_parts(parts, state).await.map_err(refused)
    }

    /// Receives what is published to a topic, as a message of this page. Acts at once: what is read afterwards misses nothing.
    ///
    /// What is published is decoded once and cloned for each session; with an `Arc<T>` the sessions share it.
    /// Something of another type than `T` under the same topic is logged and passed over.
    ///
    /// # Errors
    ///
    /// When the topic is empty or too long, or the pub/sub adapter cannot be reached.
    pub async fn subscribe<T, F>(&mut self, topic: impl AsRef<str>, into: F) -> Result
    where
        T: DeserializeOwned + Clone + Send + Sync + 'static,
        F: Fn(T) -> P::Message + Send + Sync + 'static,
    {
        let topic = publish::topic(topic.as_ref())?;
        let receive: Arc<Receive<P::Message>> = Arc::new(move |published| publish::decode::<T>(published).map(&into));
        let inbox = Arc::new(Subscribed {
            mailbox: self.mailbox.clone(),
            receive,
            live: self.live.downgrade(),
            session: self.session,
        });
        let subscription = self.live.pubsub().subscribe(&topic, inbox).await?;
        self.subscriptions.retain(|held| held.topic() != &topic);
        self.subscriptions.push(subscription);
        Ok(())
    }

    /// Ends a subscription; nothing happens where there is none.
    pub fn unsubscribe(&mut self, topic: impl AsRef<str>) {
        self.subscriptions.retain(|held| held.topic().as_str() != topic.as_ref());
    }

    /// Publishes to every session, on every node, that subscribed to the topic, this one included.
    ///
    /// # Errors
    ///
    /// As [`Live::publish`].
    pub fn publish<A, T>(&self, topic: A, message: &T) -> impl Future<Output = Result> + Send + use<P, A, T>
    where
        A: AsRef<str>,
        T: Serialize + ?Sized,
    {
        let made = publish::topic(topic.as_ref()).map_err(Error::from);
        let made = made.and_then(|topic| Ok((topic, publish::encode(message)?)));
        let live = self.live.clone();
        async move {
            let (topic, body) = made?;
            Ok(live.pubsub().publish(&topic, body.into()).await?)
        }
    }

    /// Publishes to every other session, on every node, that subscribed to the topic: not to this one. For what needs no history: who is typing, where a cursor is.
    ///
    /// # Errors
    ///
    /// As [`Live::publish`].
    ///
    /// ```
    /// use mizu::prelude::*;
    /// # struct Room;
    /// # impl Page for Room {
    /// #     type State = String;
    /// #     type Message = String;
    /// async fn mount(&self, cx: &mut Ctx<Self>) -> Result<String> {
    ///     cx.subscribe("typing", |who: String| who).await?;
    ///     Ok(String::new())
    /// }
    /// async fn handle(&self, cx: &mut Ctx<Self>, session: &mut Session<String>, _: Event) -> Result {
    ///     session.keep();
    ///     cx.broadcast("typing", "Ann").await
    /// }
    /// async fn info(&self, _: &mut Ctx<Self>, session: &mut Session<String>, who: String) -> Result {
    ///     session.state = who;
    ///     Ok(())
    /// }
    /// #     fn render(&self, view: &View<String>) -> Markup { html! { button id="type" data-lv-click="type" {} p { (view.as_str()) } } }
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # let app = mizu::testing::TestApp::new(Router::new().route("/", mizu::page(Room)));
    /// # let (mut ann, mut bob) = (app.connect("/").await, app.connect("/").await);
    /// # ann.click("#type").await;
    /// # bob.until(|page| page.text("p") == "Ann").await;
    /// # ann.click("#type").await;
    /// # assert_eq!(ann.text("p"), "");
    /// # });
    /// ```
    pub fn broadcast<A, T>(&self, topic: A, message: &T) -> impl Future<Output = Result> + Send + use<P, A, T>
    where
        A: AsRef<str>,
        T: Serialize + ?Sized,
    {
        let made = publish::topic(topic.as_ref()).map_err(Error::from);
        let made = made.and_then(|topic| Ok((topic, publish::encode_from(message, self.session)?)));
        let live = self.live.clone();
        async move {
            let (topic, body) = made?;
            Ok(live.pubsub().publish(&topic, body.into()).await?)
        }
    }

    /// The rows of a scope, kept up to date in the state that they are put into: when the scope moves they are replaced, these regions are marked (an empty list means anything),
    /// and [`Page::refresh`] runs. Sessions that watch the same share one reading. Watching the same type in the same scope again takes the place of the watch before.
    ///
    /// Acts at once: nothing falls between this and what is written from now on.
    ///
    /// # Errors
    ///
    /// - The server has no engine ([`LiveBuilder::sync`](crate::LiveBuilder::sync)).
    /// - This session's identity may not read the scope: 403 `forbidden`.
    /// - The rows can't be read, or the pub/sub adapter can't be reached.
    ///
    /// ```
    /// use mizu::prelude::*;
    /// use mizu::sync::{Engine, Entity, MemoryStore, Scope};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Todo { id: String, title: String }
    ///
    /// impl Entity for Todo {
    ///     const NAME: &'static str = "todo";
    ///     fn id(&self) -> &str { &self.id }
    /// }
    ///
    /// struct Todos;
    ///
    /// impl Page for Todos {
    ///     type State = Rows<Todo>;
    ///     type Message = ();
    ///
    ///     async fn mount(&self, cx: &mut Ctx<Self>) -> Result<Rows<Todo>> {
    ///         cx.watch(&Scope::new("todos")?, ["list"]).await
    ///     }
    ///
    ///     fn render(&self, view: &View<Rows<Todo>>) -> Markup {
    ///         html! {
    ///             form data-lv-submit="add" method="post" { input name="title"; }
    ///             (view.region("list", || html! { @for todo in view.iter() { li { (todo.title) } } }).tag("ul"))
    ///         }
    ///     }
    ///
    ///     async fn handle(&self, cx: &mut Ctx<Self>, session: &mut Session<Rows<Todo>>, event: Event) -> Result {
    ///         let todo = Todo { id: "t1".into(), title: event.value("title")? };
    ///         cx.mutate(&Scope::new("todos")?, "todo.create", &todo).await?;
    ///         session.keep();
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let engine = Engine::builder(MemoryStore::new()).entity::<Todo>().public("todos").build();
    /// let live = Live::builder().sync(engine).build();
    /// let app = mizu::testing::TestApp::attached(live.attach(Router::new().route("/", mizu::page(Todos))));
    /// let mut page = app.connect("/").await;
    /// page.submit("form", [("title", "Tea")]).await;
    /// assert_eq!(page.text("#list"), "Tea");
    /// # });
    /// ```
    pub async fn watch<T: Entity>(&mut self, scope: &Scope, regions: impl IntoMarks) -> Result<Rows<T>> {
        let engine = readable(self.live.clone(), self.who.clone(), scope).await?;
        let topic = notifier::topic(notifier::POKES, scope).ok_or(NoEngine)?;
        let poked = Poked { mailbox: self.mailbox.clone(), live: self.live.downgrade(), session: self.session };
        let subscription = self.live.pubsub().subscribe(&topic, Arc::new(poked)).await?;
        let shared = self.live.cache().shared::<T>(&engine, scope);
        let held = Arc::new(Held::new(shared.fresh(None).await?));
        let rows = Arc::new(Watched { shared, held: held.clone() });
        let (regions, entity) = (regions.into_marks(), T::NAME);
        self.watches.retain(|watch| watch.scope != *scope || watch.entity != entity);
        self.watches.push(Watch { scope: scope.clone(), entity, subscription, regions, rows });
        Ok(Rows::new(held))
    }

    /// Ends the watches of a scope; its rows stay as they are.
    ///
    /// ```
    /// # use mizu::prelude::*;
    /// # use mizu::sync::Scope;
    /// fn leave<P: Page>(cx: &mut Ctx<P>, room: &Scope) {
    ///     cx.unwatch(room);
    /// }
    /// ```
    pub fn unwatch(&mut self, scope: &Scope) {
        self.watches.retain(|watch| watch.scope != *scope);
    }

    /// Reads a scope once, for what is not watched.
    ///
    /// # Errors
    ///
    /// - The server has no engine.
    /// - This session's identity may not read the scope: 403 `forbidden`.
    ///
    /// ```
    /// # use mizu::prelude::*;
    /// # use mizu::sync::{Entity, Scope};
    /// async fn one<P: Page, T: Entity>(cx: &Ctx<P>, scope: &Scope, id: &str) -> Result<Option<T>> {
    ///     Ok(cx.read(scope).await?.get(id).await?)
    /// }
    /// ```
    pub fn read<'s>(&self, scope: &'s Scope) -> impl Future<Output = Result<Reader>> + Send + use<'s, P> {
        let (live, who) = (self.live.clone(), self.who.clone());
        async move { Ok(readable(live, who, scope).await?.read(scope)) }
    }

    /// Changes durable data: a mutation of a scope, through the engine, for this session's identity. When it returns, it is committed, and what this session watches shows it.
    ///
    /// An event that the browser sends again, because it did not get the answer, mutates nothing again.
    ///
    /// # Errors
    ///
    /// - The mutation is refused for good: [`ApplyError::Rejected`]. With `?` it becomes the error of the callback, with its code, and the person reads its message.
    /// - The engine can't do it now.
    ///
    /// See [`watch`](Self::watch) for an example.
    pub async fn mutate<A: Serialize + ?Sized>(
        &mut self,
        scope: &Scope,
        name: &str,
        args: &A,
    ) -> Result<Outcome, ApplyError> {
        let odd = |code: &'static str, message: String| ApplyError::from(Rejection::new(code, message));
        let engine = self.live.sync().ok_or_else(|| odd("internal", NoEngine.to_string()))?;
        let mutation = Mutation::new(scope, name, args).map_err(|error| odd("invalid", error.to_string()))?;
        let (event, made) = self.event;
        let mutation = match event == Ref::PUSH {
            true => mutation,
            false => mutation.key(format!("event {} {} {made}", self.session, event.get())),
        };
        self.event.1 += 1;
        let outcome = engine.apply(self.who.clone(), mutation).await?;
        if let Some(cursor) = outcome.cursor {
            self.written.retain(|(written, _)| written != scope);
            self.written.push((scope.clone(), cursor));
        }
        Ok(outcome)
    }

    /// Sends the message to this session after the time has passed, if it is still there.
    ///
    /// Time does not run before a browser with scripts has connected, nor while none is.
    pub fn after(&mut self, delay: Duration, message: P::Message) -> TimerHandle {
        self.effects.after(delay, message)
    }

    /// Sends a message to this session again and again. A tick that could not be handled in time is left out.
    pub fn every(&mut self, period: Duration, message: impl Fn() -> P::Message + Send + Sync + 'static) -> TimerHandle {
        self.effects.every(period, message)
    }

    /// Stops a timer; nothing happens when it has fired or was stopped.
    pub fn cancel(&mut self, timer: TimerHandle) {
        self.effects.cancel(timer);
    }

    /// Runs something beside the session; what it gives comes back as a message. It is cancelled when the session ends.
    ///
    /// It starts when a browser with scripts has connected, or at once if one is.
    ///
    /// ```
    /// # use mizu::prelude::*;
    /// enum Msg { Answer(String) }
    /// # async fn ask(question: String) -> String { question }
    /// # struct Chat;
    /// # impl Page for Chat {
    /// #     type State = ();
    /// #     type Message = Msg;
    /// #     async fn mount(&self, _: &mut Ctx<Self>) -> Result { Ok(()) }
    /// #     fn render(&self, _: &View<()>) -> Markup { html! {} }
    /// async fn handle(&self, cx: &mut Ctx<Self>, _: &mut Session<()>, event: Event) -> Result {
    ///     let question = event.value("question")?;
    ///     cx.spawn(async move { Msg::Answer(ask(question).await) });
    ///     Ok(())
    /// }
    /// # }
    /// ```
    pub fn spawn(&mut self, task: impl Future<Output = P::Message> + Send + 'static) -> TaskHandle {
        self.effects.spawn(&self.live, &self.mailbox, task)
    }

    /// Leaves this page for another address once the callback has returned: a path, or an `http` or `https` address.
    /// Anything else is logged and not followed.
    ///
    /// ```
    /// # use mizu::prelude::*;
    /// # struct Done;
    /// # impl Page for Done {
    /// #     type State = ();
    /// #     type Message = ();
    /// #     async fn mount(&self, _: &mut Ctx<Self>) -> Result { Ok(()) }
    /// #     fn render(&self, _: &View<()>) -> Markup { html! { button id="leave" data-lv-click="leave" {} } }
    /// async fn handle(&self, cx: &mut Ctx<Self>, session: &mut Session<()>, _: Event) -> Result {
    ///     session.flash.success("Saved.");
    ///     cx.redirect("/list");
    ///     Ok(())
    /// }
    /// # }
    /// ```
    pub fn redirect(&mut self, to: impl Into<String>) {
        let to = to.into();
        if leads_somewhere(&to) {
            self.redirect = Some(to);
        } else {
            tracing::error!(to, page = std::any::type_name::<P>(), "a redirect leads to what is no web address");
        }
    }

    /// Puts the browser's focus on the first element that the CSS selector finds, after the next patch.
    pub fn focus(&mut self, selector: impl Into<String>) {
        self.commands.push(Command::Focus(selector.into()));
    }

    pub(crate) fn take_redirect(&mut self) -> Option<String> {
        self.redirect.take()
    }

    pub(crate) fn is_subscribed(&self) -> bool {
        !self.subscriptions.is_empty() || !self.watches.is_empty()
    }

    pub(crate) fn watches(&self) -> &[Watch] {
        &self.watches
    }

    /// What the callback that just ended wrote.
    pub(crate) fn take_written(&mut self) -> Vec<(Scope, Cursor)> {
        self.event = (Ref::PUSH, 0);
        std::mem::take(&mut self.written)
    }

    /// The event that the next callback is for.
    pub(crate) fn take_up(&mut self, event: Ref) {
        self.event = (event, 0);
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox<P::Message>> {
        &self.mailbox
    }

    /// A browser holds the session: what `mount` prepared starts.
    pub(crate) fn arm(&mut self) {
        self.effects.arm(&self.live, &self.mailbox);
    }

    pub(crate) fn ask(&mut self, asked: Option<Box<Asked>>) -> Option<Box<Asked>> {
        std::mem::replace(&mut self.asked, asked)
    }
}

/// The engine, for somebody who may read the scope.
async fn readable(live: Live, who: Who, scope: &Scope) -> Result<Engine> {
    let engine = live.sync().ok_or(NoEngine)?;
    match engine.allows(&who, scope, Access::Read).await {
        true => Ok(engine.clone()),
        false => Err(Error::forbidden("You may not see this.")),
    }
}

/// Durable data was asked for where there is none.
#[derive(Debug, thiserror::Error)]
#[error("this server has no sync engine, or the scope's name is too long for a topic: Live::builder().sync(engine)")]
struct NoEngine;

/// The request was asked for where there is none.
#[derive(Debug, thiserror::Error)]
#[error("there is a request to extract from only in mount and params; keep what you need in the state")]
struct NoRequest;

/// The router's state was asked for as a type it is not.
#[derive(Debug, thiserror::Error)]
#[error("the router's state is not {wanted}; extract_with takes the type given to Router::with_state")]
struct OtherState {
    wanted: &'static str,
}

fn refused(rejection: impl axum::response::IntoResponse) -> Error {
    Error::of_response(rejection.into_response())
}

/// Whether a browser can be sent there: a path or query of this site, or a complete web address.
fn leads_somewhere(to: &str) -> bool {
    let printable = !to.is_empty() && to.bytes().all(|byte| byte.is_ascii_graphic());
    let scheme = to.split(['/', '?', '#']).next().and_then(|start| start.split_once(':')).map(|(scheme, _)| scheme);
    printable
        && match scheme {
            None => true,
            Some(scheme) => {
                let web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
                let complete = to[scheme.len()..].starts_with("://");
                web && complete
                    && to.parse::<axum::http::Uri>().is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty()))
            }
        }
}

#[cfg(test)]
mod tests {
    use super::leads_somewhere;

    #[test]
    fn redirects_lead_to_web_addresses_only() {
        for good in ["/", "/a?b=c:d#e", "?page=2", "list", "https://example.com/x", "HTTP://example.com"] {
            assert!(leads_somewhere(good), "{good}");
        }
        for bad in
            ["", "javascript:alert(1)", "data:text/html,x", "http://", "https:", "/a\r\nX: y", "/a b", "mailto:a@b"]
        {
            assert!(!leads_somewhere(bad), "{bad}");
        }
    }
}
