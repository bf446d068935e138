//! What is answered here, and not by the server: the script and its style, events, and a page where there is no server.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use hyper::{Response, StatusCode};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::board::{Phase, Status};
use super::inject::tag;

/// The body of an answer.
pub(crate) type Body = BoxBody<Bytes, hyper::Error>;

/// Under this all is answered here.
pub(crate) const PREFIX: &str = "/_mizu_dev/";

/// How often a stream of events says something, so that whoever reads it knows that it is there.
const BEAT: Duration = Duration::from_secs(15);

/// Events that may wait for a browser. While they do, newer ones take each other's place.
const EVENTS: usize = 1;

pub(crate) fn full(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).map_err(|never| match never {}).boxed()
}

/// A file of ours; nothing for what there is not.
pub(crate) fn file(path: &str) -> Option<Response<Body>> {
    let (kind, text) = match path.strip_prefix(PREFIX)? {
        "client.js" => ("text/javascript", include_str!("client.js")),
        "client.css" => ("text/css", include_str!("client.css")),
        _ => return None,
    };
    Some(answer(StatusCode::OK, kind, full(text)))
}

pub(crate) fn not_found() -> Response<Body> {
    answer(StatusCode::NOT_FOUND, "text/plain", full("mizu dev has nothing here"))
}

fn answer(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let answer = Response::builder().status(status).header(CONTENT_TYPE, kind).header(CACHE_CONTROL, "no-cache");
    answer.body(body).expect("names and values are literals that are valid")
}

/// A stream of events, and what writes it until the browser goes away or all ends.
pub(crate) fn events(
    status: watch::Receiver<Status>,
    stop: CancellationToken,
) -> (Response<Body>, impl Future<Output = ()> + Send) {
    let (sender, body) = Channel::<Bytes, hyper::Error>::new(EVENTS);
    let writing = async move {
        stop.run_until_cancelled(write(status, sender)).await;
    };
    (answer(StatusCode::OK, "text/event-stream", body.boxed()), writing)
}

async fn write(mut status: watch::Receiver<Status>, mut to: Sender<Bytes, hyper::Error>) {
    loop {
        let json = serde_json::to_string(&*status.borrow_and_update()).expect("a status has text for its keys");
        if to.send_data(format!("event: status\ndata: {json}\n\n").into()).await.is_err() {
            return;
        }
        loop {
            match tokio::time::timeout(BEAT, status.changed()).await {
                Ok(Ok(())) => break,
                Ok(Err(_)) => return,
                Err(_) if to.send_data(Bytes::from_static(b":\n\n")).await.is_err() => return,
                Err(_) => {}
            }
        }
    }
}

/// The page that is shown where there is no server: what goes on, or what went wrong. It becomes the real one by itself.
pub(crate) fn instead(status: &Status) -> Response<Body> {
    let title = match status.phase {
        _ if !status.problem.is_empty() => status.problem.as_str(),
        Phase::Starting | Phase::Running => "The server is starting",
        _ => "The project is being built",
    };
    let report: String = status.report.iter().map(|span| escape(&span.text)).collect();
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <link rel=\"stylesheet\" href=\"/_mizu_dev/client.css\">\
         <noscript><meta http-equiv=\"refresh\" content=\"2\"></noscript>{}</head>\
         <body class=\"instead\"><main><h1>{title}</h1><pre>{report}</pre></main></body></html>",
        tag("none"),
        title = escape(title),
    );
    let mut answer = answer(StatusCode::SERVICE_UNAVAILABLE, "text/html; charset=utf-8", full(page));
    answer.headers_mut().insert(RETRY_AFTER, 1.into());
    answer
}

/// The same for whoever wants no page.
pub(crate) fn unavailable(status: &Status) -> Response<Body> {
    let text = if status.problem.is_empty() { "the server is not there yet" } else { &status.problem };
    let mut answer = answer(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", full(text.to_owned()));
    answer.headers_mut().insert(RETRY_AFTER, 1.into());
    answer
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::board::Board;
    use super::*;

    #[tokio::test]
    async fn what_went_wrong_is_escaped() {
        let board = Board::new();
        board.failed("the build failed".to_owned(), "expected `<b>` & \"c\"");
        let body = instead(&board.status()).into_body().collect().await.unwrap().to_bytes();
        let page = String::from_utf8(body.to_vec()).unwrap();
        assert!(page.contains("<title>the build failed</title>"), "{page}");
        assert!(page.contains("<pre>expected `&lt;b&gt;` &amp; &quot;c&quot;</pre>"), "{page}");
    }

    #[tokio::test]
    async fn whoever_is_slow_gets_the_newest() {
        let board = Board::new();
        let stop = CancellationToken::new();
        let (answer, writing) = events(board.subscribe(), stop.clone());
        let writing = tokio::spawn(writing);
        let mut body = answer.into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(first.starts_with(b"event: status\ndata: {\"phase\":\"building\""), "{first:?}");
        board.running(([127, 0, 0, 1], 1).into());
        let second = body.frame().await.unwrap().unwrap().into_data().unwrap();
        let second = String::from_utf8(second.to_vec()).unwrap();
        assert!(second.contains("\"phase\":\"running\"") && second.ends_with("}\n\n"), "{second}");
        stop.cancel();
        writing.await.unwrap();
    }
}
