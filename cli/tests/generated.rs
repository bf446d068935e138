//! The templates, generated and used: they are formatted, their tests pass, and they serve.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use support::{checkout, new, visit};
use tempfile::tempdir;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// The target directory of this workspace: what is built there is not built again.
fn target() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_mizu")).ancestors().nth(2).unwrap().to_owned()
}

/// Both projects, in a workspace so that what they share is built once, and formatted and tested.
fn tested(here: &Path) {
    let templates = ["live", "sync"];
    for template in templates {
        let name = format!("generated-{template}");
        let made = new(here, &[&name, "--template", template, "--mizu", checkout().to_str().unwrap()]);
        assert!(made.status.success(), "{made:?}");
    }
    let members = templates.map(|template| format!("\"generated-{template}\"")).join(", ");
    // As in this workspace, or its dependencies would be built again.
    let profile = "[profile.dev]\ndebug = \"line-tables-only\"\n\n[profile.dev.package.\"*\"]\ndebug = false\n";
    fs::write(here.join("Cargo.toml"), format!("[workspace]\nmembers = [{members}]\nresolver = \"3\"\n\n{profile}"))
        .unwrap();
    // The same versions as this workspace has, which are on this machine.
    fs::copy(checkout().join("Cargo.lock"), here.join("Cargo.lock")).unwrap();
    for args in [
        &["fmt", "--check", "-p", "generated-live", "-p", "generated-sync"][..],
        &["test", "--quiet", "--offline", "--workspace"],
    ] {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let done = Command::new(cargo).args(args).current_dir(here).env("CARGO_TARGET_DIR", target()).output().unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{args:?}:\n{stdout}\n{stderr}");
        let warnings = stderr
            .lines()
            .filter(|line| line.starts_with("warning") && !line.contains("profiles for the non root package"));
        assert_eq!(warnings.count(), 0, "{args:?} warn:\n{stderr}");
    }
}

/// A generated project's server, which its tests have built.
struct Server(Child);

impl Server {
    fn start(dir: &Path) -> (Self, SocketAddr) {
        let program = target().join("debug").join(dir.file_name().unwrap());
        let mut command = Command::new(program);
        command.current_dir(dir).env("ADDR", "127.0.0.1:0").env("MIZU_SECRET", "x".repeat(32)).env("DEV", "true");
        command.env_remove("DATABASE_URL");
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut addresses = lines.filter_map(|line| line.split_once("http://")?.1.trim().parse().ok());
        let address = addresses.next().expect("the server says where it listens");
        (Self(process), address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// An attribute of the first tag that has this text in it.
fn attribute(page: &str, tag: &str, name: &str) -> String {
    let tag = page.split('<').find(|found| found.contains(tag)).unwrap_or_else(|| panic!("no {tag} in {page}"));
    let (_, rest) = tag.split_once(&format!(" {name}=\"")).unwrap_or_else(|| panic!("no {name} in {tag}"));
    rest.split('"').next().unwrap().replace("&amp;", "&").replace("&quot;", "\"")
}

/// Joins the page over a real socket, as the browser does, and sends an event; gives the regions that the answer brings.
async fn send_event(address: SocketAddr, page: &str, event: Value) -> String {
    let mut request = format!("ws://{address}/_live").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "mizu.v1.json".parse().unwrap());
    request.headers_mut().insert("origin", format!("http://{address}").parse().unwrap());
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut socket, _) = client_async(request, stream).await.unwrap();
    let token = attribute(page, "name=\"lv-token\"", "value");
    let join = json!({ "kind": 1, "topic": "", "ref": 1, "body": [token, "/", {}] });
    socket.send(Message::text(join.to_string())).await.unwrap();
    let joined = answer(&mut socket, 1).await;
    let topic = joined["body"][2][0].as_str().unwrap_or_else(|| panic!("not joined: {joined}")).to_owned();
    let event = json!({ "kind": 3, "topic": topic, "ref": 2, "body": event });
    socket.send(Message::text(event.to_string())).await.unwrap();
    let answer = answer(&mut socket, 2).await;
    assert_eq!(answer["body"][0], 0, "the event is accepted: {answer}");
    answer["body"].to_string()
}

async fn answer(socket: &mut (impl StreamExt<Item = Result<Message, impl std::fmt::Debug>> + Unpin), to: u64) -> Value {
    loop {
        let message = socket.next().await.expect("the server does not close the socket").unwrap();
        let Message::Text(text) = message else { continue };
        let frame: Value = serde_json::from_str(&text).unwrap();
        if frame["ref"] == to {
            return frame;
        }
    }
}

#[tokio::test]
async fn the_templates_pass_their_tests_and_serve() {
    let here = tempdir().unwrap();
    tested(here.path());
    live_serves(&here.path().join("generated-live")).await;
    sync_serves(&here.path().join("generated-sync")).await;
}

async fn live_serves(dir: &Path) {
    let (_server, address) = Server::start(dir);
    let page = visit(address, "/");
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("<h1>Counter</h1>"), "{page}");
    let more = attribute(&page, "id=\"more\"", "value");
    let shown = send_event(address, &page, json!([more, null, [], [], null, { "type": "click" }])).await;
    assert!(shown.contains("[\"count\",") && shown.contains("\"Counter: 1\""), "{shown}");
}

async fn sync_serves(dir: &Path) {
    let (_server, address) = Server::start(dir);
    let page = visit(address, "/");
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("<h1>Todos</h1>"), "{page}");
    let typed = [["title", "Over a socket"]];
    send_event(address, &page, json!(["Add", null, [], typed, null, { "type": "submit" }])).await;
    let page = visit(address, "/");
    assert!(page.contains("Over a socket"), "it is durable, so the next visit shows it: {page}");
    assert!(dir.join("app.db").exists(), "the data is where DATABASE_URL says by default");
}
