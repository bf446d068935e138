//! How the browser's own store stands: in sync, offline, what waits to be sent.

use maud::{Markup, html};

/// The runtime writes into the element. Without scripts there is no store, and it stays empty.
pub fn sync_status() -> Markup {
    html! {
        output id="sync-status" class="connection" role="status" data-lv-sync-status {}
    }
}
