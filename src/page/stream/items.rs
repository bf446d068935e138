//! The items of a stream that no browser has yet: what its steps make of them. Pure.

use std::collections::{HashSet, VecDeque};

use super::split::split;
use crate::page::stream_op::StreamOp;

/// Takes steps on the HTML of some items, as a browser takes them on its elements.
pub(super) fn apply(held: &mut String, ops: &mut Vec<StreamOp>) {
    if let (true, [op]) = (held.is_empty(), &ops[..])
        && let StreamOp::Append(html, None) | StreamOp::Prepend(html, None) | StreamOp::Upsert(html, None) = op
    {
        // What most pages do. It is a list already.
        held.push_str(html);
        return ops.clear();
    }
    if ops.is_empty() {
        return;
    }
    let mut items = Items::default();
    items.bring(held, Items::push);
    ops.iter().for_each(|op| items.step(op));
    *held = items.list.iter().map(|item| &*item.html).collect();
    ops.clear();
}

#[derive(Default)]
struct Items {
    list: VecDeque<Item>,
    /// The ids that are in the list.
    ids: HashSet<Box<str>>,
}

struct Item {
    /// Empty where it has none: nothing finds it.
    id: Box<str>,
    html: Box<str>,
}

impl Items {
    fn step(&mut self, op: &StreamOp) {
        match op {
            StreamOp::Append(html, limit) => {
                self.bring(html, |items, id, html| {
                    items.take(id);
                    items.push(id, html);
                });
                self.shorten(*limit, true);
            }
            StreamOp::Upsert(html, limit) => {
                self.bring(html, |items, id, html| match items.find(id) {
                    Some(at) => items.list[at].html = html.into(),
                    None => items.push(id, html),
                });
                self.shorten(*limit, true);
            }
            StreamOp::Prepend(html, limit) => self.insert(html, 0, *limit),
            StreamOp::Insert(html, at, limit) => self.insert(html, *at as usize, *limit),
            StreamOp::Remove(id) => self.take(id),
            StreamOp::Reset => *self = Self::default(),
        }
    }

    fn insert(&mut self, html: &str, at: usize, limit: Option<u32>) {
        let mut come = Self::default();
        come.bring(html, |come, id, html| {
            come.take(id);
            come.push(id, html);
        });
        come.list.iter().for_each(|item| self.take(&item.id));
        let after = self.list.split_off(at.min(self.list.len()));
        self.ids.extend(come.ids);
        self.list.extend(come.list);
        self.list.extend(after);
        self.shorten(limit, false);
    }

    /// Each item of some markup.
    fn bring(&mut self, html: &str, mut put: impl FnMut(&mut Self, &str, &str)) {
        for item in split(html).0 {
            put(self, item.id.as_deref().unwrap_or_default(), item.html);
        }
    }

    fn push(&mut self, id: &str, html: &str) {
        let item = Item { id: id.into(), html: html.into() };
        if !id.is_empty() {
            self.ids.insert(id.into());
        }
        self.list.push_back(item);
    }

    fn find(&self, id: &str) -> Option<usize> {
        self.ids.contains(id).then(|| self.list.iter().position(|item| *item.id == *id)).flatten()
    }

    fn take(&mut self, id: &str) {
        if let Some(at) = self.find(id) {
            self.list.remove(at);
            self.ids.remove(id);
        }
    }

    fn shorten(&mut self, limit: Option<u32>, front: bool) {
        let Some(limit) = limit else { return };
        while self.list.len() > limit as usize {
            let gone = if front { self.list.pop_front() } else { self.list.pop_back() };
            gone.into_iter().for_each(|item| _ = self.ids.remove(&item.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(ids: &str) -> Box<str> {
        ids.split_whitespace().map(|id| format!("<li id=\"{id}\">{id}</li>")).collect::<String>().into()
    }

    /// What the browser's own tests expect of the same steps.
    #[test]
    fn steps_do_what_a_browser_does() {
        #[track_caller]
        fn check(op: StreamOp, expected: &str) {
            let mut held = items("a b c").into_string();
            apply(&mut held, &mut vec![op.clone()]);
            assert_eq!(*held, *items(expected), "{op:?}");
        }
        use StreamOp::{Append, Insert, Prepend, Remove, Reset, Upsert};
        check(Append(items("d e"), None), "a b c d e");
        check(Append(items("a"), None), "b c a");
        check(Append(items("c a d"), None), "b c a d");
        check(Prepend(items("d e"), None), "d e a b c");
        check(Prepend(items("c a"), None), "c a b");
        check(Insert(items("d"), 1, None), "a d b c");
        check(Insert(items("d e"), 2, None), "a b d e c");
        check(Insert(items("d"), 9, None), "a b c d");
        check(Insert(items("a"), 1, None), "b a c");
        check(Upsert(items("b d"), None), "a b c d");
        check(Remove("b".into()), "a c");
        check(Remove("x".into()), "a b c");
        check(Reset, "");
        check(Append(items("d e"), Some(3)), "c d e");
        check(Upsert(items("a d"), Some(3)), "b c d");
        check(Prepend(items("d"), Some(2)), "d a");
        check(Insert(items("d"), 1, Some(3)), "a d b");
        check(Append(items("d e f"), Some(2)), "e f");
        check(Append(items("d"), Some(9)), "a b c d");
    }

    #[test]
    fn an_item_that_is_there_already_becomes_the_new_one() {
        let mut held = items("a b").into_string();
        apply(&mut held, &mut vec![StreamOp::Upsert(r#"<li id="a">new</li>"#.into(), None)]);
        assert_eq!(held, format!(r#"<li id="a">new</li>{}"#, items("b")));
    }

    #[test]
    fn what_has_no_id_is_shown_as_it_is() {
        let mut held = String::new();
        apply(&mut held, &mut vec![StreamOp::Append("<li>1</li>".into(), None)]);
        apply(&mut held, &mut vec![StreamOp::Append("<li>1</li>".into(), Some(9)), StreamOp::Remove("".into())]);
        assert_eq!(held, "<li>1</li><li>1</li>");
    }
}
