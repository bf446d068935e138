//! The browser's half of Mizu, embedded: one script, served under an address that names its content.
//!
//! This module belongs to no layer. `runtime-js/` builds the script, a plain and two precompressed files, and they are committed, so
//! that building this crate needs no Node. The address holds a hash of the script: a new build has a new address, and an address
//! may be cached forever.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

const PLAIN: &[u8] = include_bytes!("../runtime-js/dist/mizu-live.js");
const BROTLI: &[u8] = include_bytes!("../runtime-js/dist/mizu-live.js.br");
const GZIP: &[u8] = include_bytes!("../runtime-js/dist/mizu-live.js.gz");

/// The hash of the script and what is made of it.
struct Address {
    hash: String,
    path: String,
}

static ADDRESS: LazyLock<Address> = LazyLock::new(|| {
    let digest = Sha256::digest(PLAIN);
    let hash: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let path = format!("/_mizu/{hash}/mizu-live.js");
    Address { hash, path }
});

/// The path of the script that a page loads.
///
/// # Shape
///
/// `/_mizu/<hash>/mizu-live.js`, where the hash is the first 12 hexadecimal digits of the script's SHA-256.
///
/// ```
/// let path = mizu::assets::live_script_path();
/// assert!(path.starts_with("/_mizu/") && path.ends_with("/mizu-live.js"));
/// ```
pub fn live_script_path() -> &'static str {
    &ADDRESS.path
}

/// Serves the script, and nothing else: to be merged into an application's router.
///
/// The answer is brotli or gzip as the browser accepts it, is cached forever, and repeats nothing to a browser that has it. An address
/// of another build is answered with 404, which no cache keeps: during a deploy the other build may be one that is still to come.
///
/// ```
/// let app: axum::Router = axum::Router::new().merge(mizu::assets::router());
/// ```
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/_mizu/{hash}/mizu-live.js", get(script))
}

/// axum answers a HEAD with the same and leaves the body out.
async fn script(Path(hash): Path<String>, headers: HeaderMap) -> Response {
    if hash != ADDRESS.hash {
        return (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-store")]).into_response();
    }
    let encoding = Encoding::negotiate(&headers);
    let tag = format!("\"{}{}\"", ADDRESS.hash, encoding.suffix());
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|value| holds(value, &tag));
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Body::from(encoding.bytes()).into_response(),
    };
    let answer = response.headers_mut();
    if !known {
        answer.insert(CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
        if let Some(name) = encoding.name() {
            answer.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
    }
    answer.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    answer.insert(VARY, HeaderValue::from_static("accept-encoding"));
    answer.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        answer.insert(ETAG, tag);
    }
    response
}

/// Whether a list of entity tags holds this one, weak or not, or is `*`.
fn holds(list: &HeaderValue, tag: &str) -> bool {
    let Ok(list) = list.to_str() else { return false };
    list.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

/// The forms in which the script is at hand, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Brotli,
    Gzip,
    Identity,
}

impl Encoding {
    /// The form that the browser prefers; among equals the smallest.
    ///
    /// # Source
    ///
    /// RFC 9110, section 12.5.3. A browser that refuses everything gets the plain form, as the section allows.
    fn negotiate(headers: &HeaderMap) -> Self {
        let accepted: Vec<(String, f32)> = headers
            .get_all(ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(coding)
            .collect();
        let quality = |name: &str| accepted.iter().find(|(coding, _)| coding == name).map(|(_, quality)| *quality);
        let of = |name: &str| quality(name).or_else(|| quality("*")).unwrap_or(0.0);
        let mut best = (Self::Identity, quality("identity").unwrap_or(f32::MIN_POSITIVE));
        for encoding in [Self::Gzip, Self::Brotli] {
            let quality = of(encoding.name().unwrap_or("identity"));
            if quality > 0.0 && quality >= best.1 {
                best = (encoding, quality);
            }
        }
        best.0
    }

    fn bytes(self) -> &'static [u8] {
        match self {
            Self::Brotli => BROTLI,
            Self::Gzip => GZIP,
            Self::Identity => PLAIN,
        }
    }

    /// As `Content-Encoding` names it.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Identity => None,
        }
    }

    /// What tells the entity tags of the forms apart.
    fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => "-br",
            Self::Gzip => "-gz",
            Self::Identity => "",
        }
    }
}

/// One element of `Accept-Encoding`: `gzip;q=0.5`. What can't be read as a quality refuses the coding.
fn coding(element: &str) -> (String, f32) {
    let mut parts = element.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (name, quality.map_or(1.0, |text| text.parse().unwrap_or(0.0)))
}

#[cfg(test)]
mod tests {
    use axum::http::{Method, Request};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn ask(method: Method, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = router::<()>().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        (head.status, head.headers, body.collect().await.unwrap().to_bytes().to_vec())
    }

    #[test]
    fn the_path_names_the_content() {
        let hash = live_script_path().strip_prefix("/_mizu/").unwrap().strip_suffix("/mizu-live.js").unwrap();
        assert_eq!(hash.len(), 12);
        assert!(hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn the_smallest_accepted_form_is_served() {
        #[track_caller]
        fn check(accept: &str, expected: Encoding) {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, accept.parse().unwrap());
            assert_eq!(Encoding::negotiate(&headers), expected, "{accept}");
        }
        check("gzip, deflate, br, zstd", Encoding::Brotli);
        check("gzip, deflate", Encoding::Gzip);
        check("br;q=0, gzip", Encoding::Gzip);
        check("br;q=0.0, gzip;q=0", Encoding::Identity);
        check("br;q=0.5, gzip;q=0.9", Encoding::Gzip);
        check("br;q=0.2, identity", Encoding::Identity);
        check("GZIP;Q=1", Encoding::Gzip);
        check("*", Encoding::Brotli);
        check("*;q=0", Encoding::Identity);
        check("br;q=0, *", Encoding::Gzip);
        check("br;q=nonsense", Encoding::Identity);
        check("", Encoding::Identity);
        assert_eq!(Encoding::negotiate(&HeaderMap::new()), Encoding::Identity);
    }

    #[tokio::test]
    async fn every_form_has_its_headers() {
        for (accept, name, bytes) in
            [("br", Some("br"), BROTLI), ("gzip", Some("gzip"), GZIP), ("identity", None, PLAIN)]
        {
            let (status, headers, body) = ask(Method::GET, live_script_path(), &[("accept-encoding", accept)]).await;
            assert_eq!((status, body.as_slice()), (StatusCode::OK, bytes));
            assert_eq!(headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap()), name);
            assert_eq!(headers[CONTENT_TYPE], "text/javascript; charset=utf-8");
            assert_eq!(headers[CACHE_CONTROL], "public, max-age=31536000, immutable");
            assert_eq!(headers[VARY], "accept-encoding");
            assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        }
    }

    #[tokio::test]
    async fn head_has_the_headers_only() {
        let (status, headers, body) = ask(Method::HEAD, live_script_path(), &[("accept-encoding", "br")]).await;
        assert_eq!((status, body.len()), (StatusCode::OK, 0));
        assert_eq!(headers["content-length"], BROTLI.len().to_string().as_str());
    }

    #[tokio::test]
    async fn a_browser_that_has_it_gets_nothing_again() {
        let (_, headers, _) = ask(Method::GET, live_script_path(), &[("accept-encoding", "br")]).await;
        let tag = headers[ETAG].to_str().unwrap().to_owned();
        for known in [tag.as_str(), &format!("\"x\", W/{tag}"), "*"] {
            let asked = [("accept-encoding", "br"), ("if-none-match", known)];
            let (status, headers, body) = ask(Method::GET, live_script_path(), &asked).await;
            assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
            assert_eq!(headers[ETAG], tag.as_str());
        }
        // Another form of the same script is another entity.
        let (status, ..) = ask(Method::GET, live_script_path(), &[("if-none-match", tag.as_str())]).await;
        assert_eq!(status, StatusCode::OK);
    }

    #[tokio::test]
    async fn another_build_is_not_found_and_not_remembered() {
        let (status, headers, _) = ask(Method::GET, "/_mizu/000000000000/mizu-live.js", &[]).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(headers[CACHE_CONTROL], "no-store");
        let (status, ..) = ask(Method::POST, live_script_path(), &[]).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    }
}
