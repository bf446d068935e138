//! `mizu dev` over a tiny project.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use super::{PATIENCE, mizu, until, visit};

const MANIFEST: &str = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[[bin]]\nname = \"tiny\"\npath = \"src/main.rs\"\n";

const MAIN: &str = include_str!("tiny.rs");

/// The command at work, over a project that is built in a moment.
pub(crate) struct Dev {
    dir: TempDir,
    process: Child,
    pub(crate) address: SocketAddr,
    /// Guards what it has said so far.
    said: Arc<Mutex<String>>,
    listening: Option<JoinHandle<()>>,
}

impl Dev {
    /// Starts it over a project whose `src/main.rs` is made by this from the one that works.
    pub(crate) fn start(change: impl FnOnce(&str) -> String) -> Self {
        let dir = TempDir::new().unwrap();
        for folder in ["src", "static"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        fs::write(dir.path().join("Cargo.toml"), MANIFEST).unwrap();
        fs::write(dir.path().join("src/main.rs"), change(MAIN)).unwrap();
        fs::write(dir.path().join("static/style.css"), "h1 { color: red }").unwrap();
        let mut command = mizu();
        command.args(["dev", "--addr", "127.0.0.1:0"]).current_dir(dir.path());
        command.env("CARGO_TARGET_DIR", dir.path().join("target")).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.by_ref().find_map(|line| line.split_once("http://")?.1.split(' ').next()?.parse().ok());
        let said = Arc::new(Mutex::new(String::new()));
        let to = said.clone();
        let listening = std::thread::spawn(move || {
            for line in lines {
                let mut said = to.lock().unwrap();
                said.push_str(&line);
                said.push('\n');
            }
        });
        Self { dir, process, address: address.expect("it says where"), said, listening: Some(listening) }
    }

    /// The same, once the server serves.
    pub(crate) fn serving() -> Self {
        let dev = Self::start(str::to_owned);
        until("the server serves", || visit(dev.address, "/").contains("<h1>one</h1>"));
        dev
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Writes `src/main.rs`, made by this from the one that works.
    pub(crate) fn change(&self, change: impl FnOnce(&str) -> String) {
        self.write("src/main.rs", &change(MAIN));
    }

    /// The process that `mizu dev` is.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where the server itself listens.
    pub(crate) fn inner(&self) -> SocketAddr {
        let page = visit(self.address, "/");
        let (_, rest) = page.split_once("<p id=\"addr\">").unwrap_or_else(|| panic!("{page}"));
        rest.split('<').next().unwrap().parse().unwrap()
    }

    /// Asks it to end, as a terminal or a supervisor does, and waits until it has.
    pub(crate) fn end(mut self, signal: &str) -> ExitStatus {
        let id = self.id().to_string();
        let asked = std::process::Command::new("kill").args(["-s", signal, &id]).status().unwrap();
        assert!(asked.success());
        self.process.wait().unwrap()
    }

    pub(crate) fn events(&self) -> Events {
        Events::open(self.address)
    }

    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // It may have ended; a test that failed leaves it running, and it ends its server by itself when asked to.
        drop(std::process::Command::new("kill").arg(self.process.id().to_string()).stderr(Stdio::null()).status());
        drop(self.process.wait());
        if let Some(listening) = self.listening.take() {
            drop(listening.join());
        }
        if std::thread::panicking() {
            eprintln!("mizu dev said:\n{}", self.said());
        }
    }
}

/// What pages are told.
pub(crate) struct Events(std::io::Lines<BufReader<TcpStream>>);

impl Events {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET /_mizu_dev/events HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\n\r\n").unwrap();
        Self(BufReader::new(stream).lines())
    }

    /// The next of them.
    pub(crate) fn next(&mut self) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let line = self.0.by_ref().find_map(|line| {
            assert!(Instant::now() < deadline, "only heartbeats came");
            Some(line.unwrap().strip_prefix("data: ")?.to_owned())
        });
        serde_json::from_str(&line.expect("the stream goes on")).unwrap()
    }

    /// The first that says this of the phase.
    pub(crate) fn until(&mut self, phase: &str) -> Value {
        self.find(&format!("it is {phase}"), |status| status["phase"] == phase)
    }

    /// The first that is as expected.
    pub(crate) fn find(&mut self, what: &str, mut is: impl FnMut(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.next();
            if is(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "waited in vain until {what}; it is {status}");
        }
    }
}

/// What there is to read about a problem.
pub(crate) fn report(status: &Value) -> String {
    status["report"].as_array().unwrap().iter().map(|span| span["text"].as_str().unwrap()).collect()
}
