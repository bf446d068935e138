//! What is sent between two renderings, for tests that apply it in a browser.

use std::sync::Arc;

use crate::live::Format;
use crate::page::patch;
use crate::page::rendered::{Node, ROOT};

/// The regions of the patch that leads a page whose root holds `old` to `new`, as MessagePack; both as maud writes HTML.
///
/// ```
/// let patch = mizu::testing::patch_between("<p>a</p>", "<p>b</p>");
/// assert!(patch.len() < 40, "a text is all that is sent");
/// assert_eq!(mizu::testing::patch_between("<p>a</p>", "<p>a</p>"), [0x90], "an empty list");
/// ```
#[doc(hidden)]
pub fn patch_between(old: &str, new: &str) -> Vec<u8> {
    let regions = patch::in_steps(&page(old), &page(new));
    let bytes = Format::MessagePack.to_bytes(&regions).expect("regions are numbers, texts and lists of them");
    bytes.into()
}

fn page(html: &str) -> Arc<Node> {
    Arc::new(Node { id: ROOT.into(), html: html.into(), ..Node::default() })
}
