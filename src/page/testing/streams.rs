//! Takes the steps of a stream, as a browser does, and fails where it would ask for something else.

use ego_tree::NodeId;
use rmpv::Value;
use scraper::{ElementRef, Html};

use super::html::{by_id, fresh, parse};

/// What marks the element of a stream.
const STREAM: &str = "data-lv-stream";

/// Changes the items of a stream.
pub(super) fn apply(document: &mut Html, stream: &str, ops: &[Value]) {
    let target = by_id(document, stream);
    let is_stream = element(document, target).is_some_and(|element| element.attr(STREAM).is_some());
    assert!(is_stream, "the element {stream:?} is no stream:\n{}", document.html());
    for op in ops {
        step(document, target, op)
            .unwrap_or_else(|why| panic!("{why}: {op} in the stream {stream:?} of\n{}", document.html()));
    }
}

fn step(document: &mut Html, stream: NodeId, op: &Value) -> Result<(), String> {
    let op = op.as_array().ok_or("a step is a list")?;
    let text = || op.get(1).and_then(Value::as_str).ok_or("no text");
    let number = |at: usize| op.get(at).and_then(Value::as_u64).map(|number| number as usize);
    let code = number(0).ok_or("no code")?;
    match code {
        0..=3 => {
            let (front, limit) = (matches!(code, 1 | 2), number(if code == 2 { 3 } else { 2 }));
            let at = if code == 2 { number(2).ok_or("no place")? } else { 0 };
            bring(document, stream, text()?, front, (code == 3, at))?;
            let all = items(document, stream);
            let surplus = limit.map_or(0, |limit| all.len().saturating_sub(limit));
            let (first, last) = (&all[..surplus], &all[all.len() - surplus..]);
            detach(document, if front { last } else { first });
        }
        4 => {
            let gone = find(document, stream, text()?);
            detach(document, gone.as_slice());
        }
        5 => {
            let all = items(document, stream);
            detach(document, &all);
        }
        _ => return Err("an unknown step".into()),
    }
    Ok(())
}

/// Puts items in: at a place, or last. With `stays`, one that is there already is only exchanged.
fn bring(
    document: &mut Html,
    stream: NodeId,
    html: &str,
    front: bool,
    (stays, at): (bool, usize),
) -> Result<(), String> {
    let fresh: Vec<_> = fresh(document, html).into_iter().filter(|&node| element(document, node).is_some()).collect();
    if fresh.is_empty() || fresh.iter().any(|&item| id(document, item).is_none()) {
        return Err("an item is an element with an id".into());
    }
    let mut placed = Vec::new();
    for &item in &fresh {
        let before = id(document, item).and_then(|id| find(document, stream, &id));
        let mut known = before.and_then(|before| document.tree.get_mut(before));
        if let Some(known) = &mut known {
            known.insert_id_before(item);
            known.detach();
        }
        if !(known.is_some() && stays) {
            placed.push(item);
        }
    }
    detach(document, &placed);
    let place = items(document, stream).get(at).copied().filter(|_| front);
    for item in placed {
        match place.and_then(|place| document.tree.get_mut(place)) {
            Some(mut place) => _ = place.insert_id_before(item),
            None => _ = document.tree.get_mut(stream).ok_or("no stream")?.append_id(item),
        }
    }
    Ok(())
}

/// Of what takes the place of an element, or of what it holds, streams take their items over.
pub(super) fn keep_items(document: &mut Html, old: NodeId, outer: bool, fresh: &[NodeId]) {
    let streams = parse(&format!("[{STREAM}][id]"));
    let mut old: Vec<_> = element(document, old).map_or_else(Vec::new, |old| {
        let own = outer.then_some(old).filter(|old| streams.matches(old));
        own.into_iter().chain(old.select(&streams)).map(|stream| stream.id()).collect()
    });
    let new = fresh.iter().filter_map(|&node| element(document, node));
    let new =
        new.flat_map(|node| Some(node).filter(|node| streams.matches(node)).into_iter().chain(node.select(&streams)));
    let new: Vec<_> = new.map(|stream| stream.id()).collect();
    for new in new {
        let same = |&old: &NodeId| id(document, old) == id(document, new) && name(document, old) == name(document, new);
        let Some(at) = old.iter().position(same) else { continue };
        let (own, kept) = (items(document, new), children(document, old.remove(at)));
        detach(document, &own);
        for node in kept {
            document.tree.get_mut(new).into_iter().for_each(|mut new| _ = new.append_id(node));
        }
    }
}

fn element(document: &Html, node: NodeId) -> Option<ElementRef<'_>> {
    document.tree.get(node).and_then(ElementRef::wrap)
}

fn id(document: &Html, node: NodeId) -> Option<String> {
    element(document, node)?.attr("id").filter(|id| !id.is_empty()).map(str::to_owned)
}

fn name(document: &Html, node: NodeId) -> Option<String> {
    Some(element(document, node)?.value().name().to_owned())
}

fn children(document: &Html, node: NodeId) -> Vec<NodeId> {
    document.tree.get(node).map_or_else(Vec::new, |node| node.children().map(|child| child.id()).collect())
}

fn items(document: &Html, stream: NodeId) -> Vec<NodeId> {
    children(document, stream).into_iter().filter(|&node| element(document, node).is_some()).collect()
}

fn find(document: &Html, stream: NodeId, wanted: &str) -> Option<NodeId> {
    items(document, stream).into_iter().find(|&item| id(document, item).as_deref() == Some(wanted))
}

fn detach(document: &mut Html, nodes: &[NodeId]) {
    for &node in nodes {
        document.tree.get_mut(node).into_iter().for_each(|mut node| node.detach());
    }
}
