//! Where streams stand in a page: regions without HTML of their own.

use std::sync::Arc;

use crate::page::rendered::{Node, Part, ROOT};

/// The ids of the streams that a page has, in the order in which they stand.
pub(super) fn places(page: &Node) -> Vec<Arc<str>> {
    fn visit(node: &Node, found: &mut Vec<Arc<str>>) {
        match &*node.children {
            _ if !node.streams => {}
            [] => found.push(node.id.clone()),
            children => children.iter().for_each(|child| visit(child, found)),
        }
    }
    let mut found = Vec::new();
    visit(page, &mut found);
    found
}

/// The page with items in its streams.
pub(crate) fn filled<'i>(page: &Arc<Node>, items: &impl Fn(&str) -> Option<&'i str>) -> Arc<Node> {
    if !page.streams {
        return page.clone();
    }
    if page.children.is_empty() {
        let Some(html) = items(&page.id) else { return page.clone() };
        return Arc::new(Node { id: page.id.clone(), html: html.into(), streams: true, ..Node::default() });
    }
    Arc::new(page.with_children(page.children.iter().map(|child| filled(child, items)).collect()))
}

/// Those of the streams that stand in a region, or are it.
pub(crate) fn inside(part: &Part<'_>, streams: &[Arc<str>]) -> Vec<Arc<str>> {
    let mut found = Vec::new();
    part.walk(&mut |part| found.extend(streams.iter().find(|stream| ***stream == *part.id).cloned()));
    found
}

/// The regions to send when these are asked for: of a stream there is nothing to send but what is around it.
pub(crate) fn around(ids: &[String], page: &Node, streams: &[Arc<str>]) -> Vec<String> {
    let is_stream = |id: &str| streams.iter().any(|stream| **stream == *id);
    let around = |id: &String| match is_stream(id) {
        true => above(&page.part(), id).unwrap_or(ROOT).to_owned(),
        false => id.clone(),
    };
    ids.iter().map(around).collect()
}

/// The region right around one.
fn above<'a>(part: &Part<'a>, id: &str) -> Option<&'a str> {
    part.parts().find_map(|inside| if inside.id == id { Some(part.id) } else { above(&inside, id) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(id: &str, html: &str, children: Vec<Arc<Node>>) -> Arc<Node> {
        let holes = vec![html.len() as u32; children.len()].into();
        Node { id: id.into(), html: html.into(), holes, children: children.into(), ..Node::default() }.settle(None)
    }

    #[test]
    fn streams_are_found_filled_and_stepped_around() {
        let stream = |id: &str| Node { id: id.into(), streams: true, ..Node::default() }.settle(None);
        let box_ = region("box", "b", vec![stream("one"), region("other", "o", vec![])]);
        let page = region(ROOT, "r", vec![box_, stream("two"), region("empty", "", vec![])]);
        let streams = places(&page);
        assert_eq!(streams, ["one", "two"].map(Arc::<str>::from));
        let full = filled(&page, &|id| (id == "one").then_some("<li>"));
        assert_eq!((page.html(), full.html()), ("rbo".into(), "rb<li>o".into()));
        assert!(Arc::ptr_eq(&full.children[2], &page.children[2]), "what has no stream is shared");
        assert_ne!(page.fingerprint(1), full.fingerprint(1));
        assert_eq!(inside(&page.children[0].part(), &streams), [Arc::<str>::from("one")]);
        let ids = ["one", "two", "other", "gone"].map(str::to_owned);
        assert_eq!(around(&ids, &page, &streams), ["box", ROOT, "other", "gone"]);
    }
}
