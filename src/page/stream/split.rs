//! Markup as a list of items: elements that stand beside each other, each with its id. Reads what maud writes.

use std::borrow::Cow;

/// An element, and what names it.
#[derive(Debug, PartialEq)]
pub(super) struct Item<'a> {
    /// Nothing where it has none.
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) html: &'a str,
}

/// Elements without an end tag.
const VOID: [&str; 14] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];

/// Elements whose content is text, whatever it looks like.
const TEXT: [&str; 4] = ["script", "style", "textarea", "title"];

/// The outermost elements of some HTML; and whether there was anything else.
pub(super) fn split(html: &str) -> (Vec<Item<'_>>, bool) {
    let (mut items, mut other) = (Vec::new(), false);
    let mut open: Vec<&str> = Vec::new();
    let (mut start, mut id) = (0, None);
    let mut rest = 0;
    while let Some(found) = memchr::memchr(b'<', &html.as_bytes()[rest..]) {
        let at = rest + found;
        if open.is_empty() {
            other |= !html[rest..at].trim().is_empty();
        }
        let tag = &html[at..];
        rest = at + 1;
        if let Some(comment) = tag.strip_prefix("<!--") {
            rest = comment.find("-->").map_or(html.len(), |end| at + "<!--".len() + end + "-->".len());
        } else if let Some(end) = tag.strip_prefix("</") {
            let name = name(end);
            rest = at + tag.find('>').map_or(tag.len(), |end| end + 1);
            // What has no end tag of its own ends with what is around it.
            if let Some(which) = open.iter().rposition(|open| open.eq_ignore_ascii_case(name)) {
                open.truncate(which);
                if which == 0 {
                    items.push(Item { id: id.take(), html: &html[start..rest] });
                }
            }
        } else if tag[1..].starts_with(|first: char| first.is_ascii_alphabetic()) {
            let Some((end, its_id)) = attributes(tag) else { break };
            let name = name(&tag[1..]);
            rest = at + end;
            if open.is_empty() {
                (start, id) = (at, its_id);
            }
            let lower = name.to_ascii_lowercase();
            if VOID.contains(&&*lower) || tag[..end].ends_with("/>") {
                if open.is_empty() {
                    items.push(Item { id: id.take(), html: &html[start..rest] });
                }
                continue;
            }
            if TEXT.contains(&&*lower) {
                rest += html[rest..].find(&format!("</{lower}")).unwrap_or(html.len() - rest);
            }
            open.push(name);
        }
    }
    if !open.is_empty() {
        // A browser closes it where the markup ends.
        items.push(Item { id, html: &html[start..] });
    } else {
        other |= !html[rest.min(html.len())..].trim().is_empty();
    }
    (items, other)
}

fn name(tag: &str) -> &str {
    &tag[..tag.find(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/').unwrap_or(tag.len())]
}

/// Where an opening tag ends, and its id.
fn attributes(tag: &str) -> Option<(usize, Option<Cow<'_, str>>)> {
    let mut id = None;
    let mut at = 1 + name(&tag[1..]).len();
    loop {
        at += tag[at..].find(|c: char| !c.is_ascii_whitespace() && c != '/')?;
        if tag[at..].starts_with('>') {
            return Some((at + 1, id));
        }
        let end = at + tag[at..].find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/'))?;
        let name = &tag[at..end];
        at = end;
        let Some(value) = tag[end..].strip_prefix('=') else {
            // A name that is none must not be looked at for ever.
            at += usize::from(name.is_empty());
            continue;
        };
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''));
        let (from, to) = match quote {
            Some(quote) => (end + 2, end + 2 + tag[end + 2..].find(quote)?),
            None => (end + 1, end + 1 + value.find(|c: char| c.is_ascii_whitespace() || c == '>')?),
        };
        if name.eq_ignore_ascii_case("id") && from < to {
            id = Some(unescape(&tag[from..to]));
        }
        at = to + usize::from(quote.is_some());
    }
}

/// An attribute's text without maud's escapes.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return text.into();
    }
    text.replace("&quot;", "\"").replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(html: &str, expected: &[(&str, &str)], other: bool) {
        let (items, found) = split(html);
        let items: Vec<_> = items.iter().map(|item| (item.id.as_deref().unwrap_or_default(), item.html)).collect();
        assert_eq!((&items[..], found), (expected, other), "{html}");
    }

    #[test]
    fn markup_is_elements_beside_each_other() {
        check("", &[], false);
        let two = r#"<li id="a"><b>1</b></li><li class="x" id="b">2<br></li>"#;
        check(two, &[("a", &two[..24]), ("b", &two[24..])], false);
        check(" <li id=a>1</li>\n", &[("a", "<li id=a>1</li>")], false);
        check("<hr id='a'><img id=\"b\" src=x>", &[("a", "<hr id='a'>"), ("b", "<img id=\"b\" src=x>")], false);
        check("<li>1</li>", &[("", "<li>1</li>")], false);
        check(r#"<li id="">1</li>"#, &[("", r#"<li id="">1</li>"#)], false);
        check(r#"text<li id="a">1</li>"#, &[("a", r#"<li id="a">1</li>"#)], true);
        check(r#"<li id="a">1</li>text"#, &[("a", r#"<li id="a">1</li>"#)], true);
        check("text", &[], true);
    }

    #[test]
    fn what_looks_like_a_tag_may_be_none() {
        for html in [
            r#"<li id="a" title="</li>">1 < 2</li>"#,
            r#"<li id="a"><textarea></li><li></textarea></li>"#,
            r#"<li id="a"><script>if (a</li>1) {}</script></li>"#,
            r#"<li id="a"><!-- </li> --></li>"#,
            r#"<li id="a"><svg><path d="1"/></svg></li>"#,
            r#"<li id="a"><p>1<p>2</li>"#,
            r#"<li id="a"><li-x></li-x></li>"#,
            r#"<LI ID="a"><li>1</li></li>"#,
            r#"<li hidden id="a"><p>open"#,
        ] {
            check(html, &[("a", html)], false);
        }
        check(r#"<li id="a&quot;&amp;lt;">1</li>"#, &[("a\"&lt;", r#"<li id="a&quot;&amp;lt;">1</li>"#)], false);
    }

    proptest::proptest! {
        #[test]
        fn any_text_ends(text in "[<>/a='\" -!]{0,40}") {
            let (items, _) = split(&text);
            proptest::prop_assert!(items.iter().map(|item| item.html.len()).sum::<usize>() <= text.len());
        }
    }
}
