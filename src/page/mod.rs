//! Pages: typed state on the server, HTML first, small patches after.
//!
//! Where to read on: [`Page`] is what an app writes. A GET goes `http` → `seat` (mount, render) → `document`; its session waits in the
//! `park`. A join goes `door` → the app's own router → `http` → `join` → `runner`. An event goes `door` → `mailbox` → `runner` → `seat`
//! (handle, `view`, `rendered`, `patch`) → one frame back.
//!
//! What holds here:
//!
//! 1. A session is one sequential loop, or one request: never two callbacks at once, never a lock around state.
//! 2. A session subscribes before `mount` reads, so nothing falls between.
//! 3. A session renders only after its previous patch was written; marks pile up meanwhile.
//! 4. What the browser shows is the last rendering the server knows it has. When in doubt it asks for the region anew.
//! 5. Every way in (GET, POST, join, resume) is a request through the same router and the same identity.
//!
//! This layer uses what [`live`](crate::live) and [`sync`](crate::sync) re-export and no more; it opens no socket of its own.

mod app;
mod asked;
mod attach;
mod attrs;
mod cache;
mod cookie;
mod ctx;
mod definition;
mod diff;
mod document;
mod door;
mod effects;
mod error;
mod event;
mod event_error;
mod fields;
mod flash;
mod form;
mod fragments;
mod heard;
mod history;
mod http;
mod intern;
mod join;
mod mailbox;
mod notifier;
mod once;
mod ops;
mod park;
mod patch;
mod placeholder;
mod pokes;
mod publish;
mod record;
mod rendered;
mod rows;
mod runner;
mod seat;
mod session;
mod stream;
mod stream_op;
mod subscribed;
mod template;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
mod view;
mod watch;
mod wire;

pub use app::{Live, LiveBuilder};
pub use attach::LiveApp;
#[doc(hidden)]
pub use attrs::event as event_name;
pub use ctx::{Ctx, PresenceDiff, Present};
pub use definition::Page;
pub use document::Document;
pub use effects::{TaskHandle, TimerHandle};
pub use error::{Error, Result};
pub use event::Event;
pub use event_error::EventError;
pub use fields::Fields;
pub use flash::{Flash, FlashKind};
pub use form::FormLimits;
pub use http::page;
pub use notifier::SyncNotifier;
pub use park::ParkLimits;
pub use rows::{Iter, Rows, Snapshot};
pub use session::{IntoMarks, Session};
pub use stream::Stream;
#[doc(hidden)]
pub use template::{mutation, row_templates};
pub use token::SessionId;
pub use view::{Each, Place, Region, Shared, View};
