//! Durable data: scopes that a page watches, reads and changes.

use std::sync::Arc;

use serde::Serialize;

use super::Ctx;
use crate::edge::Who;
use crate::live::Ref;
use crate::page::app::Live;
use crate::page::definition::Page;
use crate::page::error::{Error, Result};
use crate::page::notifier;
use crate::page::rows::{Held, Rows};
use crate::page::session::IntoMarks;
use crate::page::watch::{Poked, Watch, Watched};
use crate::sync::{Access, ApplyError, Engine, Entity, Mutation, Outcome, Reader, Rejection, Scope};

impl<P: Page> Ctx<P> {
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
