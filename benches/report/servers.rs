//! The baselines: what a person would write with axum alone, if nothing but speed and memory counted.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use maud::{DOCTYPE, html};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::Result;

/// As long as the token of a page with four regions.
const TOKEN: &str = "ATq0Gm3QyPbqkRZbpeSPrPMAAAAAFQb4x5v9bZ1Hxq0mR8l3cVJtq2b0p6gYw9s7dN1uE4kKz5fTjLhC2aXoWiQvMBq0";

/// Who takes part in the fan-out.
type Members = Arc<Mutex<Vec<mpsc::Sender<Bytes>>>>;

#[tokio::main]
pub(crate) async fn main() -> Result {
    let app = Router::new()
        .route("/echo", get(echo))
        .route("/fan", get(fan))
        .route("/publish", post(publish))
        .route("/counter", get(counter))
        .with_state(Members::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    // Answers are small and must not wait for each other, as in any server of WebSockets.
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    axum::serve(listener, app).await?;
    Ok(())
}

/// Buffers as small as they may be: the defaults cost 136 KiB a connection.
fn tuned(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .protocols(["mizu.v1"])
        .read_buffer_size(4 * 1024)
        .write_buffer_size(4 * 1024)
        .max_write_buffer_size(64 * 1024)
        .max_message_size(64 * 1024)
}

#[derive(Deserialize)]
struct Echo {
    /// The bytes of each answer.
    reply: usize,
}

/// Answers every message with one of a given length.
async fn echo(upgrade: WebSocketUpgrade, Query(Echo { reply }): Query<Echo>) -> Response {
    tuned(upgrade).on_upgrade(move |mut socket| async move {
        let reply = Bytes::from(vec![0; reply]);
        while let Some(Ok(message)) = socket.recv().await {
            if matches!(message, Message::Binary(_)) && socket.send(Message::Binary(reply.clone())).await.is_err() {
                return;
            }
        }
    })
}

async fn fan(upgrade: WebSocketUpgrade, State(members): State<Members>) -> Response {
    tuned(upgrade).on_upgrade(|socket| member(socket, members))
}

/// Sends everything published to one client, and publishes what it sends.
async fn member(mut socket: WebSocket, members: Members) {
    let (sender, mut frames) = mpsc::channel(128);
    members.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
    // Tells the client that it is among them: whatever is published from now on reaches it.
    if socket.send(Message::Binary(Bytes::new())).await.is_err() {
        return;
    }
    loop {
        let sent = tokio::select! {
            frame = frames.recv() => match frame {
                Some(frame) => socket.send(Message::Binary(frame)).await.is_ok(),
                None => false,
            },
            received = socket.recv() => match received {
                Some(Ok(Message::Binary(bytes))) => {
                    tell(&members, &bytes);
                    true
                }
                received => matches!(received, Some(Ok(_))),
            },
        };
        if !sent {
            return;
        }
    }
}

async fn publish(State(members): State<Members>, body: Bytes) {
    tell(&members, &body);
}

/// Hands bytes to every member: one clone of a pointer for each.
fn tell(members: &Members, body: &Bytes) {
    let mut members = members.lock().unwrap_or_else(PoisonError::into_inner);
    members.retain(|member| !matches!(member.try_send(body.clone()), Err(mpsc::error::TrySendError::Closed(_))));
}

/// The document of the counter page, byte for byte but for the token.
async fn counter() -> impl IntoResponse {
    let (count, log) = (0, Vec::<String>::new());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Counter: " (count) }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="/icon.svg";
                script type="module" src=(mizu::assets::live_script_path()) {}
            }
            body {
                header { a href="/" { "Mizu" } span class="state" {} }
                main {
                    div id="lv-root" data-lv {
                        div id="lv-flash" role="status" aria-live="polite" {}
                        h1 { "Counter" }
                        p class="buttons" {
                            button id="dec" form="lv" name="lv" value="Dec?by=1" { "\u{2212}" }
                            button id="inc" form="lv" name="lv" value="Inc?by=1" { "+" }
                        }
                        p id="stats" { "Count: " (count) }
                        ol id="log" { @for line in &log { li { (line) } } }
                    }
                    form id="lv" method="post" hidden {
                        input type="hidden" name="lv-token" autocomplete="off" value=(TOKEN);
                    }
                }
                footer { "State on the server, HTML in the browser, small patches in between." }
            }
        }
    };
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "private, no-cache")];
    (headers, page.into_string())
}
