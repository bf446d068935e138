//! The attributes of an opening tag.

use std::borrow::Cow;

/// Each attribute: its name, and its value as it is written, with escapes.
pub(super) fn attributes(open: &str) -> impl Iterator<Item = (&str, &str)> {
    let inner = open.trim_start_matches('<').trim_end_matches('>').trim_end_matches('/');
    let start = inner.find(|c: char| c.is_ascii_whitespace()).unwrap_or(inner.len());
    let mut rest = &inner[start..];
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(|c: char| c == '=' || c.is_ascii_whitespace()).unwrap_or(rest.len());
        let name = &rest[..end];
        let Some(after) = rest[end..].strip_prefix('=') else {
            rest = &rest[end..];
            return Some((name, ""));
        };
        let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\''));
        let (value, next) = match quote {
            Some(quote) => {
                let inside = &after[1..];
                let end = inside.find(quote).unwrap_or(inside.len());
                (&inside[..end], inside.get(end + 1..).unwrap_or_default())
            }
            None => after.split_at(after.find(|c: char| c.is_ascii_whitespace()).unwrap_or(after.len())),
        };
        rest = next;
        Some((name, value))
    })
}

/// The value of one attribute, as it is written.
pub(super) fn attribute<'a>(open: &'a str, name: &str) -> Option<&'a str> {
    // Most tags have none; the search is cheaper than the reading.
    memchr::memmem::find(open.as_bytes(), name.as_bytes())?;
    attributes(open).find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// Text as a browser reads it. Nothing where more is escaped in it than what must be.
pub(super) fn unescape(text: &str) -> Option<Cow<'_, str>> {
    let Some(mut next) = memchr::memchr(b'&', text.as_bytes()) else { return Some(Cow::Borrowed(text)) };
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    loop {
        out.push_str(&rest[..next]);
        rest = &rest[next..];
        let (name, meant) = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"')]
            .into_iter()
            .find(|(name, _)| rest.starts_with(name))?;
        out.push(meant);
        rest = &rest[name.len()..];
        match memchr::memchr(b'&', rest.as_bytes()) {
            Some(found) => next = found,
            None => break,
        }
    }
    out.push_str(rest);
    Some(Cow::Owned(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_as_they_are_written() {
        let open = r#"<a href="/x?a=1&amp;b=2" hidden data-x='a "b"' data-id="y" width=3 id="z">"#;
        let all: Vec<_> = attributes(open).collect();
        assert_eq!(
            all,
            [
                ("href", "/x?a=1&amp;b=2"),
                ("hidden", ""),
                ("data-x", r#"a "b""#),
                ("data-id", "y"),
                ("width", "3"),
                ("id", "z")
            ]
        );
        assert_eq!(attribute(open, "id"), Some("z"));
        assert_eq!(attribute(open, "key"), None);
        assert_eq!(attributes("<br/>").count() + attributes("<p>").count(), 0);
    }

    #[test]
    fn only_what_must_be_escaped_is_read_back() {
        assert_eq!(unescape("a &lt;b&gt; &quot;c&quot; &amp;amp;").unwrap(), r#"a <b> "c" &amp;"#);
        assert_eq!(unescape("plain").unwrap(), "plain");
        assert!(unescape("a&nbsp;b").is_none() && unescape("&#65;").is_none() && unescape("a & b").is_none());
    }
}
