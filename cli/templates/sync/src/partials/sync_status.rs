//! How the browser's own store stands: in sync, offline, what waits to be sent.

use maud::{Markup, html};
use mizu::assets;

use crate::data;

/// `static/sync.js` writes into the element. Without scripts there is no store, and it stays hidden.
pub fn sync_status() -> Markup {
    html! {
        output id="sync-status" class="connection" role="status" data-module=(assets::sync_script_path()) data-scope=(data::todos()) hidden {}
        script type="module" src="/static/sync.js" {}
    }
}
