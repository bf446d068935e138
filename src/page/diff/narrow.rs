//! The element around a small change, found without reading the rest.

use super::attributes::attribute;
use super::tree::{Tree, open_tag};
use crate::page::rendered::Part;

/// Elements around the change that are tried, from the inside.
const TRIES: usize = 8;

/// Regions shorter than this are read as a whole at once.
const SHORT: usize = 2 * 1024;

/// The same element before and after.
pub(super) struct Narrow<'a> {
    pub(super) old: Tree<'a>,
    pub(super) new: Tree<'a>,
    pub(super) id: &'a str,
}

/// The innermost element with an id around all that differs. Nothing where there is none near, or where a region is inside it.
pub(super) fn narrow<'a>(old: &'a Part<'a>, new: &'a Part<'a>) -> Option<Narrow<'a>> {
    let (one, other) = (old.html, new.html);
    if one.len().min(other.len()) < SHORT {
        return None;
    }
    let start = common_prefix(one.as_bytes(), other.as_bytes());
    let rest = one.len().min(other.len()) - start;
    let end = common_suffix(&one.as_bytes()[one.len() - rest..], &other.as_bytes()[other.len() - rest..]);
    let mut before = start;
    for _ in 0..TRIES {
        let id_at = memchr::memmem::rfind(&other.as_bytes()[..before], b" id=\"")?;
        let tag_at = memchr::memrchr(b'<', &other.as_bytes()[..id_at])?;
        before = tag_at;
        let Some(open) = open_tag(&other[tag_at..]).filter(|open| tag_at + open.len() <= start) else { continue };
        let Some(id) = attribute(open, "id") else { continue };
        let (Some(a), Some(b)) = (first(one, &old.holes, tag_at), first(other, &new.holes, tag_at)) else {
            return None;
        };
        // Both end behind the change, and at the same distance from the end.
        let (left, new_left) = (one.len() - a.end, other.len() - b.end);
        if left == new_left && left <= end {
            let unmoved = |(&hole, &new_hole): (&u32, &u32)| {
                let (hole, new_hole) = (hole as usize, new_hole as usize);
                (hole == new_hole && hole < tag_at) || (hole > a.end && one.len() - hole == other.len() - new_hole)
            };
            if !old.holes.iter().zip(&*new.holes).all(unmoved) {
                return None;
            }
            return Some(Narrow { old: a.tree, new: b.tree, id });
        }
    }
    None
}

struct First<'a> {
    tree: Tree<'a>,
    end: usize,
}

/// The element that begins there.
fn first<'a>(html: &'a str, holes: &[u32], at: usize) -> Option<First<'a>> {
    let (tree, length) = Tree::first(&html[at..])?;
    let end = at + length;
    let inside = |&hole: &u32| (at..=end).contains(&(hole as usize));
    (!holes.iter().any(inside)).then_some(First { tree, end })
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    const BLOCK: usize = 64;
    let blocks = a.chunks_exact(BLOCK).zip(b.chunks_exact(BLOCK)).take_while(|(a, b)| a == b).count();
    let at = blocks * BLOCK;
    at + a[at..].iter().zip(&b[at..]).take_while(|(a, b)| a == b).count()
}

fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    const BLOCK: usize = 64;
    let blocks = a.rchunks_exact(BLOCK).zip(b.rchunks_exact(BLOCK)).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[..a.len() - blocks * BLOCK], &b[..b.len() - blocks * BLOCK]);
    blocks * BLOCK + a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}
