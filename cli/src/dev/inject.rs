//! The script that pages get.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Response, StatusCode};

use super::answers::{Body, full};

/// Puts the script into an answer, where that is a page. `version` is what the page was made by.
pub(crate) async fn inject(
    method: &Method,
    answer: Response<Incoming>,
    version: &str,
) -> Result<Response<Body>, hyper::Error> {
    if !is_page(answer.status(), answer.headers()) {
        return Ok(answer.map(BodyExt::boxed));
    }
    let (mut parts, body) = answer.into_parts();
    // A page that is kept would bring the version of back then.
    for name in [header::ETAG, header::LAST_MODIFIED, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        parts.headers.remove(name);
    }
    if method == Method::HEAD {
        return Ok(Response::from_parts(parts, body.boxed()));
    }
    let page = with_script(&body.collect().await?.to_bytes(), version);
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(page.len()));
    Ok(Response::from_parts(parts, full(page)))
}

fn is_page(status: StatusCode, headers: &HeaderMap) -> bool {
    let says = |name, what: fn(&str) -> bool| headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(what);
    let is_html = says(header::CONTENT_TYPE, |kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"));
    // Whoever was asked for a plain body and packed it anyway gets no script.
    let is_packed = says(header::CONTENT_ENCODING, |encoding| !encoding.eq_ignore_ascii_case("identity"));
    is_html && !is_packed && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The tag of the script. It is a file of the same site, as `default-src 'self'` allows.
pub(crate) fn tag(version: &str) -> String {
    format!("<script type=\"module\" src=\"/_mizu_dev/client.js?version={version}\"></script>")
}

/// Puts the tag where scripts of the page have begun before it: at the end of `<head>`, or else of the document.
fn with_script(page: &[u8], version: &str) -> Vec<u8> {
    let at = find(page, b"</head>").or_else(|| find(page, b"</body>")).unwrap_or(page.len());
    let tag = tag(version);
    let mut out = Vec::with_capacity(page.len() + tag.len());
    out.extend_from_slice(&page[..at]);
    out.extend_from_slice(tag.as_bytes());
    out.extend_from_slice(&page[at..]);
    out
}

fn find(page: &[u8], tag: &[u8]) -> Option<usize> {
    page.windows(tag.len()).position(|window| window.eq_ignore_ascii_case(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(page: &str, expected: &str) {
        let out = with_script(page.as_bytes(), "1.2");
        assert_eq!(String::from_utf8(out).unwrap(), expected.replace("{}", &tag("1.2")));
    }

    #[test]
    fn the_script_comes_after_the_pages_own() {
        check(
            "<head><script src=a></script></head><body>x</body>",
            "<head><script src=a></script>{}</head><body>x</body>",
        );
        check("<HTML><HEAD></HEAD>", "<HTML><HEAD>{}</HEAD>");
        check("<p>x</p></body></html>", "<p>x</p>{}</body></html>");
        check("<p>x</p>", "<p>x</p>{}");
        check("", "{}");
    }

    #[test]
    fn only_plain_pages_are_changed() {
        let page = |headers: &[(&'static str, &'static str)], status| {
            let headers = headers
                .iter()
                .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)));
            is_page(status, &headers.collect())
        };
        assert!(page(&[("content-type", "text/html; charset=utf-8")], StatusCode::OK));
        assert!(page(&[("content-type", "Text/HTML"), ("content-encoding", "identity")], StatusCode::NOT_FOUND));
        assert!(!page(&[("content-type", "text/html"), ("content-encoding", "br")], StatusCode::OK));
        assert!(!page(&[("content-type", "text/htmlx"), ("content-encoding", "gzip")], StatusCode::OK));
        assert!(!page(&[("content-type", "application/json")], StatusCode::OK));
        assert!(!page(&[("content-type", "text/html")], StatusCode::NOT_MODIFIED));
        assert!(!page(&[], StatusCode::OK));
    }
}
