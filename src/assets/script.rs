//! The scripts, and how they are answered.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::encoding::Encoding;

/// One script in its forms, the hash of it and what is made of that.
pub(super) struct Script {
    name: &'static str,
    plain: &'static [u8],
    brotli: &'static [u8],
    gzip: &'static [u8],
    hash: String,
    path: String,
}

macro_rules! script {
    ($name:literal) => {
        LazyLock::new(|| {
            Script::new(
                $name,
                include_bytes!(concat!("../../runtime-js/dist/", $name)),
                include_bytes!(concat!("../../runtime-js/dist/", $name, ".br")),
                include_bytes!(concat!("../../runtime-js/dist/", $name, ".gz")),
            )
        })
    };
}

pub(super) static LIVE: LazyLock<Script> = script!("mizu-live.js");
pub(super) static SYNC: LazyLock<Script> = script!("mizu-sync.js");
pub(super) static LOCAL: LazyLock<Script> = script!("mizu-local.js");
pub(super) static INSPECTOR: LazyLock<Script> = script!("mizu-inspector.js");
pub(super) static OFFLINE: LazyLock<Script> = script!("mizu-offline.js");

impl Script {
    fn new(name: &'static str, plain: &'static [u8], brotli: &'static [u8], gzip: &'static [u8]) -> Self {
        let digest = Sha256::digest(plain);
        let hash: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let path = format!("/_mizu/{hash}/{name}");
        Self { name, plain, brotli, gzip, hash, path }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn bytes(&self, encoding: Encoding) -> &'static [u8] {
        match encoding {
            Encoding::Brotli => self.brotli,
            Encoding::Gzip => self.gzip,
            Encoding::Identity => self.plain,
        }
    }

    fn answer(&self, headers: &HeaderMap, cache: &'static str) -> Response {
        let encoding = Encoding::negotiate(headers);
        let tag = format!("\"{}{}\"", self.hash, encoding.suffix());
        let known = headers.get_all(IF_NONE_MATCH).iter().any(|value| holds(value, &tag));
        let mut response = match known {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => Body::from(self.bytes(encoding)).into_response(),
        };
        let answer = response.headers_mut();
        if !known {
            answer.insert(CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
            if let Some(name) = encoding.name() {
                answer.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
            }
        }
        answer.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        answer.insert(VARY, HeaderValue::from_static("accept-encoding"));
        answer.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            answer.insert(ETAG, tag);
        }
        response
    }
}

/// A script by its hash. axum answers a HEAD with the same and leaves the body out.
pub(super) async fn hashed(Path((hash, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let script =
        [&LIVE, &SYNC, &LOCAL, &INSPECTOR].into_iter().find(|script| script.name == name && script.hash == hash);
    match script {
        Some(script) => script.answer(&headers, "public, max-age=31536000, immutable"),
        None => (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-store")]).into_response(),
    }
}

/// The service worker, which may serve all paths of the site and not only those beside it.
pub(super) async fn offline(headers: HeaderMap) -> Response {
    let mut response = OFFLINE.answer(&headers, "no-cache");
    response.headers_mut().insert("service-worker-allowed", HeaderValue::from_static("/"));
    response
}

/// Whether a list of entity tags holds this one, weak or not, or is `*`.
fn holds(list: &HeaderValue, tag: &str) -> bool {
    let Ok(list) = list.to_str() else { return false };
    list.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use axum::http::{Method, Request};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;
    use crate::assets::{live_script_path, router, sync_script_path};

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

    #[tokio::test]
    async fn every_form_has_its_headers() {
        for (accept, name, bytes) in
            [("br", Some("br"), LIVE.brotli), ("gzip", Some("gzip"), LIVE.gzip), ("identity", None, LIVE.plain)]
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
        assert_eq!(headers["content-length"], LIVE.brotli.len().to_string().as_str());
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

    #[tokio::test]
    async fn each_script_has_its_own_address() {
        let (status, _, body) = ask(Method::GET, sync_script_path(), &[]).await;
        assert_eq!((status, body.as_slice()), (StatusCode::OK, SYNC.plain));
        let mixed = sync_script_path().replace("mizu-sync.js", "mizu-live.js");
        assert_eq!(ask(Method::GET, &mixed, &[]).await.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn the_service_worker_may_serve_the_whole_site_and_is_asked_for_again() {
        let (status, headers, body) = ask(Method::GET, "/_mizu/offline.js", &[]).await;
        assert_eq!((status, body.as_slice()), (StatusCode::OK, OFFLINE.plain));
        assert_eq!(
            (&headers["service-worker-allowed"], &headers[CACHE_CONTROL]),
            (&HeaderValue::from_static("/"), &HeaderValue::from_static("no-cache"))
        );
    }
}
