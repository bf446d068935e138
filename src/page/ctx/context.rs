//! What a page's callbacks can do besides changing their state.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;

use super::ephemeral::Ephemerals;
use super::presence::People;
use crate::edge::{Identity, UserError, Who};
use crate::live::{Ref, Subscription};
use crate::page::app::Live;
use crate::page::asked::Asked;
use crate::page::definition::Page;
use crate::page::effects::{Effects, TaskHandle, TimerHandle};
use crate::page::error::{Error, Result};
use crate::page::mailbox::Mailbox;
use crate::page::stream::{Stream, Streams};
use crate::page::token::SessionId;
use crate::page::watch::Watch;
use crate::page::wire::Command;
use crate::sync::{Cursor, Scope};

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
    pub(super) live: Live,
    pub(super) session: SessionId,
    pub(super) who: Who,
    pub(super) mailbox: Arc<Mailbox<P::Message>>,
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) watches: Vec<Watch>,
    /// What this callback wrote, and where the scopes' logs are since.
    pub(super) written: Vec<(Scope, Cursor)>,
    /// The event at hand, and how many mutations it made.
    pub(super) event: (Ref, u32),
    /// A browser holds the session.
    pub(super) armed: bool,
    pub(super) people: Option<Box<People>>,
    pub(super) ephemerals: Option<Box<Ephemerals>>,
    pub(crate) effects: Effects<P::Message>,
    pub(crate) commands: Vec<Command>,
    pub(crate) streams: Streams,
    pub(super) redirect: Option<String>,
    pub(super) asked: Option<Box<Asked>>,
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
            armed: false,
            people: None,
            ephemerals: None,
            effects: Effects::default(),
            commands,
            streams: Streams::default(),
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

    /// A keyed collection of items that the browser keeps and the server does not: messages, a log, a feed.
    ///
    /// What is done to it is sent with this callback's patch, and costs no rendering: a callback that changes nothing else says so by
    /// [`Session::keep`](crate::Session::keep). What `mount` streams is in the page's first HTML. [`View::stream`](crate::View::stream) is its place; what is streamed while
    /// the page does not show it is gone.
    ///
    /// A browser whose connection drops gets what it missed. Where that is not known any more (64 KiB and 256 patches are kept until it has acknowledged them), or a plain POST
    /// comes from a page that had joined, the page is mounted anew: so `mount` streams what a page is to begin with.
    ///
    /// See [`Stream`] for an example.
    pub fn stream(&mut self, id: impl AsRef<str>) -> Stream<'_> {
        Stream::new(&mut self.streams, id.as_ref().into(), self.live.is_dev())
    }

    pub(crate) fn take_redirect(&mut self) -> Option<String> {
        self.redirect.take()
    }

    pub(crate) fn is_subscribed(&self) -> bool {
        !self.subscriptions.is_empty() || !self.watches.is_empty() || self.people.is_some()
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
    pub(crate) async fn arm(&mut self) {
        self.armed = true;
        self.effects.arm(&self.live, &self.mailbox);
        if let Some(ephemerals) = &self.ephemerals {
            ephemerals.hear(true);
        }
        self.appear().await;
    }

    /// No browser holds the session any more.
    pub(crate) fn disarm(&mut self) {
        self.armed = false;
        self.effects.disarm();
        if let Some(ephemerals) = &self.ephemerals {
            ephemerals.hear(false);
        }
        self.disappear();
    }

    pub(crate) fn ask(&mut self, asked: Option<Box<Asked>>) -> Option<Box<Asked>> {
        std::mem::replace(&mut self.asked, asked)
    }
}

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
