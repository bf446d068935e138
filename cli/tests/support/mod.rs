//! Running the command, and talking to what it serves.

#![allow(dead_code, reason = "each test uses its own part of this")]

pub(crate) mod dev;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// How long a condition may take to come true.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// The command, with nothing in its environment that would change it.
pub(crate) fn mizu() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mizu"));
    for name in ["ADDR", "DEV", "MIZU_SECRET", "DATABASE_URL"] {
        command.env_remove(name);
    }
    command
}

/// Runs `mizu new`, with this directory as the current one.
pub(crate) fn new(here: &Path, args: &[&str]) -> Output {
    mizu().arg("new").args(args).current_dir(here).output().unwrap()
}

/// What a command said when it failed.
pub(crate) fn refusal(output: &Output) -> String {
    assert!(!output.status.success(), "it did not fail: {output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// All files below a directory, by their paths inside of it.
pub(crate) fn files(dir: &Path) -> Vec<String> {
    fn walk(dir: &Path, top: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, top, found);
            } else {
                found.push(path.strip_prefix(top).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(dir, dir, &mut found);
    found.sort();
    found
}

/// The checkout of Mizu that this is a part of.
pub(crate) fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A request over a connection of its own, and the answer, headers and all.
pub(crate) fn request(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Goes to a page as a browser does.
pub(crate) fn visit(address: SocketAddr, path: &str) -> String {
    request(address, "GET", path, "accept: text/html,*/*\r\naccept-encoding: gzip, br\r\n", "")
}

/// Waits until this is true.
pub(crate) fn until(what: &str, mut ask: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !ask() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::yield_now();
    }
}
