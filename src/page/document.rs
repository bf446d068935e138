//! The HTML document around a page, and what makes its forms work without scripts.

use maud::{DOCTYPE, Markup, PreEscaped, Render, html};

use super::rendered::ROOT;

/// What a layout puts together: the page itself and what must be around it.
///
/// # Example
///
/// A layout of one's own splices all three: [`head`](Self::head), [`body`](Self::body) and [`title`](Self::title).
///
/// ```
/// use mizu::prelude::*;
///
/// fn layout(document: mizu::Document) -> Markup {
///     html! {
///         (maud::DOCTYPE)
///         html lang="en" {
///             head { title { (document.title()) " - My shop" } (document.head()) }
///             body { nav { a href="/" { "Home" } } (document.body()) }
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Document {
    pub(crate) title: String,
    pub(crate) head: Markup,
    pub(crate) page: String,
    pub(crate) token: String,
    pub(crate) dev: bool,
    pub(crate) offline: Option<Offline>,
}

/// What a page that opens without a network tells its browser.
#[derive(Debug)]
pub(crate) struct Offline {
    /// Whose rows the browser keeps.
    pub(crate) user: String,
    /// The pages that it keeps.
    pub(crate) paths: String,
}

impl Document {
    /// The page's title, escaped when spliced.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What the framework and the page need in `<head>`: the browser runtime and the page's own tags.
    pub fn head(&self) -> Markup {
        html! {
            script type="module" src=(crate::assets::live_script_path()) {}
            @if self.offline.is_some() {
                link rel="modulepreload" href=(crate::assets::sync_script_path());
                script type="module" src=(crate::assets::local_script_path()) {}
            }
            (self.head)
        }
    }

    /// The page in its root element, and the form that carries its token.
    pub fn body(&self) -> Markup {
        // Put together by hand: the page is by far the largest part, and is copied once.
        let mut out = String::with_capacity(self.page.len() + self.token.len() + 256);
        out.push_str("<div id=\"");
        out.push_str(ROOT);
        out.push_str(if self.dev { "\" data-lv=\"dev\"" } else { "\" data-lv" });
        if let Some(Offline { user, paths }) = &self.offline {
            let mut attribute = |name: &str, value: &str| {
                out.push_str(name);
                value.render_to(&mut out);
                out.push('"');
            };
            attribute(" data-lv-sync=\"", crate::assets::sync_script_path());
            attribute(" data-lv-user=\"", user);
            attribute(" data-lv-offline=\"", paths);
        }
        out.push('>');
        write_with_plain_forms(&self.page, &self.token, &mut out);
        out.push_str("</div><form id=\"lv\" method=\"post\" hidden><input type=\"hidden\" name=\"lv-token\" autocomplete=\"off\" value=\"");
        out.push_str(&self.token);
        out.push_str("\"></form>");
        PreEscaped(out)
    }

    /// A complete document with nothing else in it.
    pub fn default_layout(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) }
                    (self.head())
                }
                body { (self.body()) }
            }
        }
    }
}

/// Copies the page, and gives every `<form data-lv-submit=.. method="post">` the two hidden fields with which a plain
/// POST of it reaches the same handler. The runtime takes them out again when it has joined.
fn write_with_plain_forms(page: &str, token: &str, out: &mut String) {
    let mut from = 0;
    for start in memchr::memmem::find_iter(page.as_bytes(), b"<form ") {
        let Some((event, end)) = submit_form(&page[start..]) else { continue };
        let end = start + end;
        out.push_str(&page[from..end]);
        out.push_str("<input type=\"hidden\" name=\"lv\" value=\"");
        // Taken from an attribute's text as it stands there, escapes and all.
        out.push_str(event);
        out.push_str("\" data-lv-plain><input type=\"hidden\" name=\"lv-token\" autocomplete=\"off\" value=\"");
        token.render_to(out);
        out.push_str("\" data-lv-plain>");
        from = end;
    }
    out.push_str(&page[from..]);
}

/// The event of a form's opening tag, and where the tag ends; nothing for a form that is not posted to the page.
fn submit_form(tag: &str) -> Option<(&str, usize)> {
    let (mut event, mut post) = (None, false);
    let mut rest = &tag["<form ".len()..];
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('>') {
            return event.filter(|_| post).map(|event| (event, tag.len() - after.len()));
        }
        let name_end = rest.find(['=', '>', ' ', '\n', '\t', '\r'])?;
        let name = &rest[..name_end];
        rest = &rest[name_end..];
        let mut value = "";
        if let Some(after) = rest.strip_prefix("=\"") {
            let close = after.find('"')?;
            (value, rest) = (&after[..close], &after[close + 1..]);
        }
        match name {
            "data-lv-submit" => event = Some(value),
            "method" => post = value.eq_ignore_ascii_case("post"),
            "" => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(page: &str, expected: &str) {
        let mut out = String::new();
        write_with_plain_forms(page, "T", &mut out);
        let hidden = |event| {
            format!(
                r#"<input type="hidden" name="lv" value="{event}" data-lv-plain><input type="hidden" name="lv-token" autocomplete="off" value="T" data-lv-plain>"#
            )
        };
        assert_eq!(out, expected.replace("{save}", &hidden("save")).replace("{a&amp;b?c=1}", &hidden("a&amp;b?c=1")));
    }

    #[test]
    fn forms_that_are_posted_get_their_fields() {
        check(
            r#"<p>x</p><form data-lv-submit="save" method="post"><input name="a"></form>"#,
            r#"<p>x</p><form data-lv-submit="save" method="post">{save}<input name="a"></form>"#,
        );
        check(
            r#"<form class="a > b" method="POST" data-lv-submit="a&amp;b?c=1" novalidate></form>"#,
            r#"<form class="a > b" method="POST" data-lv-submit="a&amp;b?c=1" novalidate>{a&amp;b?c=1}</form>"#,
        );
        for other in [
            r#"<form data-lv-submit="save"></form>"#,
            r#"<form method="post" action="/elsewhere"></form>"#,
            r#"<form data-lv-submit="save" method="get"></form>"#,
            "no form",
            "<form ",
            r#"<form data-lv-submit="save"#,
        ] {
            check(other, other);
        }
    }
}
