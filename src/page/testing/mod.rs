//! Drives pages in memory, by CSS selectors: no browser, no port, no sleeping.
//!
//! ```
//! use mizu::prelude::*;
//! use mizu::testing::TestApp;
//!
//! # struct Counter;
//! # impl Page for Counter {
//! #     type State = i64;
//! #     type Message = ();
//! #     async fn mount(&self, _: &mut Ctx<Self>) -> Result<i64> { Ok(0) }
//! #     fn render(&self, view: &View<i64>) -> Markup {
//! #         html! { button id="inc" data-lv-click="inc" { "+" } (view.region("count", || html! { (**view) })) }
//! #     }
//! #     async fn handle(&self, _: &mut Ctx<Self>, s: &mut Session<i64>, _: Event) -> Result { s.state += 1; Ok(()) }
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let app = TestApp::new(Router::new().route("/counter", mizu::page(Counter)));
//! let mut page = app.connect("/counter").await;
//! page.click("#inc").await;
//! assert_eq!(page.text("#count"), "1");
//! # }
//! ```
//!
//! After every step the page compares what its patches made with a fresh rendering, and panics where they differ: a region that was
//! changed and not marked fails the test that changes it.

mod app;
mod between;
mod html;
mod once;
mod ops;
mod page;
mod streams;

pub use app::{TestApp, TestResponse};
pub use between::patch_between;
pub use once::render_once;
pub use page::TestPage;
