//! Rich, real-time web apps without a front end.
//!
//! A page is a Rust type: typed state on the server, HTML made from it, and what people do to it. Browsers get HTML first, which works
//! without scripts, and small patches over a WebSocket after. Start with [`Page`] and [`Live`], or with the examples.
//!
//! ```
//! use mizu::prelude::*;
//!
//! struct Counter;
//!
//! impl Page for Counter {
//!     type State = i64;
//!     type Message = ();
//!
//!     async fn mount(&self, _cx: &mut Ctx<Self>) -> Result<i64> { Ok(0) }
//!
//!     fn render(&self, view: &View<i64>) -> Markup {
//!         html! {
//!             button id="inc" form="lv" name="lv" value="inc" { "+" }
//!             (view.region("count", || html! { "Count: " (**view) }))
//!         }
//!     }
//!
//!     async fn handle(&self, _cx: &mut Ctx<Self>, session: &mut Session<i64>, _event: Event) -> Result {
//!         session.state += 1;
//!         Ok(())
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let app = Router::new().route("/counter", mizu::page(Counter));
//! let mut page = mizu::testing::TestApp::new(app).connect("/counter").await;
//! page.click("#inc").await;
//! assert_eq!(page.text("#count"), "Count: 1");
//! # });
//! ```
//!
//! # Layers
//!
//! | module | what it does | what it must not know |
//! |---|---|---|
//! | [`live`] | moves messages: connections, topics, limits | what is in them |
//! | [`sync`] | durable data: mutations in, ordered changes out, exactly once | sockets, sessions, HTML |
//! | `page` (flat in this crate's root) | pages: state, rendering, patches, sessions | sockets |
//!
//! # Features
//!
//! | feature | adds | on by default |
//! |---|---|---|
//! | `sqlite` | [`sync::SqliteStore`]: durable data in one file | yes |
//! | `postgres` | `sync::PostgresStore`: durable data for many nodes | no |
//! | `redis` | `live::RedisAdapter`: messages between nodes, through Redis | no |
//! | `nats` | `live::NatsAdapter`: messages between nodes, through NATS | no |
//! | `testing` | [`testing`]: drive pages in memory, by CSS selectors | no |

/// The README's code compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

pub mod assets;
mod edge;
pub mod live;
mod page;
pub mod sync;

pub use edge::{Anybody, Identity, UserError, Who};
pub use page::*;

/// Values for the `data-lv-*` attributes in templates.
pub mod lv {
    pub use crate::page::event_name as event;
    pub use crate::page::{mutation, row_templates};
}

/// All that an app with pages usually needs.
pub mod prelude {
    pub use axum::Router;
    pub use maud::{Markup, html};
    pub use serde::{Deserialize, Serialize};

    pub use crate::Identity;
    pub use crate::page::{Ctx, Error, Event, Flash, Live, Page, Result, Rows, Session, View};
    pub use crate::{live, lv};
}
