//! An app with a sync engine on a real port, and clients that know nothing but HTTP.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use mizu::live::Shutdown;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A folder of its own, removed in the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static FOLDERS: AtomicU64 = AtomicU64::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("mizu-sync-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Serves on a free port until the shutdown starts.
pub(crate) async fn listen(app: Router) -> (SocketAddr, Shutdown) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = Shutdown::new();
    tokio::spawn(mizu::live::serve(listener, app, shutdown.clone()));
    (address, shutdown)
}

/// Something that must happen soon.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(25), future).await.expect("something that never happened")
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, which is JSON that no cache keeps and no browser takes for anything else.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"), "{self:?}");
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        if self.status >= 400 {
            assert!(body["code"].is_string() && body["error"].is_string(), "{self:?}");
        }
        body
    }

    /// The body of an answer with this status.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// The body of an error with this status and code.
    #[track_caller]
    pub(crate) fn error(&self, status: u16, code: &str) -> Value {
        let body = self.json();
        assert_eq!((self.status, body["code"].as_str()), (status, Some(code)), "{body}");
        body
    }
}

/// A client that speaks HTTP/1.1 over one socket, by hand.
pub(crate) struct Http {
    stream: TcpStream,
    read: Vec<u8>,
    /// What every request says.
    headers: String,
}

impl Http {
    pub(crate) async fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::new(), headers: format!("host: {address}\r\n") })
    }

    /// One more header for every request.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The bytes of a request.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let mut head = format!("{method} {path} HTTP/1.1\r\n{}content-length: {}\r\n", self.headers, body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        [head.as_bytes(), body].concat()
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let request = self.request(method, path, headers, body);
        // A server may answer, and close, before it has read everything.
        let written = self.stream.write_all(&request).await;
        match self.answer().await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(written.err().unwrap_or(error)),
        }
    }

    pub(crate) async fn post_raw(&mut self, path: &str, body: &[u8]) -> std::io::Result<Answer> {
        self.send("POST", path, &[("content-type", "application/json")], body).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Answer {
        within(self.post_raw(path, body.to_string().as_bytes())).await.unwrap()
    }

    /// Reads one answer.
    pub(crate) async fn answer(&mut self) -> std::io::Result<Answer> {
        let head = loop {
            if let Some(at) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head: Vec<u8> = self.read.drain(..at + 4).collect();
                break String::from_utf8(head).unwrap();
            }
            self.more().await?;
        };
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, n)| n.parse().unwrap());
        while self.read.len() < length {
            self.more().await?;
        }
        Ok(Answer { status, headers, body: self.read.drain(..length).collect() })
    }

    async fn more(&mut self) -> std::io::Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// A client id for a number.
pub(crate) fn client_id(number: u64) -> String {
    format!("client-{number:024}")
}

/// The body of a push.
pub(crate) fn push(client: &str, mutations: Vec<Value>) -> Value {
    json!({ "client": client, "mutations": mutations })
}

/// One mutation of a push.
pub(crate) fn mutation(seq: u64, name: &str, scope: &str, args: Value) -> Value {
    json!({ "seq": seq, "id": "5f0c4bd0-7e1e-4f0a-8a3e-1f6c1b1d2e3f", "name": name, "scope": scope, "args": args })
}

/// What a browser would keep of a scope.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Copy {
    pub(crate) rows: std::collections::BTreeMap<(String, String), Value>,
    pub(crate) acks: Vec<u64>,
    pub(crate) cursor: String,
    /// How many changes came, acknowledgements not counted.
    pub(crate) changes: usize,
}

impl Copy {
    /// Applies what a pull gave. A row that is created twice, or changed before it is created, is a hole or a double.
    #[track_caller]
    pub(crate) fn apply(&mut self, pulled: &Value) {
        let cursor = pulled["cursor"].as_str().unwrap();
        for change in pulled["changes"].as_array().unwrap() {
            let text = |field: &str| change[field].as_str().unwrap().to_owned();
            match change["op"].as_str().unwrap() {
                "ack" => self.acks.push(change["seq"].as_u64().unwrap()),
                "delete" => {
                    let gone = self.rows.remove(&(text("entity"), text("id")));
                    assert!(gone.is_some(), "deleted, but not there: {change}");
                    self.changes += 1;
                }
                op => {
                    let before = self.rows.insert((text("entity"), text("id")), change["data"].clone());
                    assert_eq!(before.is_some(), op == "update", "{change}");
                    self.changes += 1;
                }
            }
        }
        cursor.clone_into(&mut self.cursor);
    }

    /// Pulls until there is no more.
    pub(crate) async fn pull_all(&mut self, http: &mut Http, scope: &str, client: &str, limit: usize) {
        loop {
            let ask = json!({ "client": client, "scope": scope, "cursor": self.cursor, "limit": limit });
            let pulled = http.post("/_sync/pull", &ask).await.ok();
            self.apply(&pulled);
            if pulled["has_more"] == false {
                return;
            }
        }
    }

    /// Reads a snapshot page by page.
    pub(crate) async fn snapshot(http: &mut Http, scope: &str, client: &str, limit: usize) -> Self {
        let (mut copy, mut page) = (Self::default(), Value::Null);
        loop {
            let ask = json!({ "client": client, "scope": scope, "page": page, "limit": limit });
            let answer = http.post("/_sync/snapshot", &ask).await.ok();
            for row in answer["rows"].as_array().unwrap() {
                let text = |field: &str| row[field].as_str().unwrap().to_owned();
                let before = copy.rows.insert((text("entity"), text("id")), row["data"].clone());
                assert!(before.is_none(), "twice in one snapshot: {row}");
            }
            for ack in answer["acks"].as_array().unwrap() {
                copy.acks.push(ack["seq"].as_u64().unwrap());
            }
            let cursor = answer["cursor"].as_str().unwrap();
            assert!(copy.cursor.is_empty() || copy.cursor == cursor, "all pages show one place");
            cursor.clone_into(&mut copy.cursor);
            page = answer["next"].clone();
            if page.is_null() {
                return copy;
            }
        }
    }
}
