//! `mizu dev`, from outside: files are changed, pages are asked for, events are heard.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use support::dev::{Dev, report};
use support::{PATIENCE, mizu, refusal, request, until, visit};

fn broken(main: &str) -> String {
    main.replace("const GREETING: &str = \"one\";", "const GREETING: &str = 1;")
}

fn greeting(text: &'static str) -> impl FnOnce(&str) -> String {
    move |main| main.replace("\"one\"", &format!("{text:?}"))
}

#[test]
fn a_change_is_built_served_and_told() {
    let dev = Dev::serving();
    let mut events = dev.events();
    let before = events.until("running")["version"].clone();
    dev.change(greeting("two"));
    let after = events.until("starting");
    assert_eq!(after["version"], before, "pages are told to reload only when there is what to load");
    let page = visit(dev.address, "/");
    assert!(page.contains("<h1>two</h1>"), "a request waits for the server that is being replaced: {page}");
    let after = events.until("running")["version"].clone();
    assert_ne!(after, before);
    assert!(page.contains(after.as_str().unwrap()), "the page knows what it was made by: {page}");
}

#[test]
fn a_build_that_fails_is_shown_and_the_server_goes_on() {
    let dev = Dev::serving();
    let inner = dev.inner();
    let mut events = dev.events();
    let before = events.until("running");
    dev.change(broken);
    let failed = events.until("failed");
    assert_eq!(failed["problem"], "the build failed");
    let text = report(&failed);
    assert!(text.contains("error[E0308]") && text.contains("src/main.rs") && !text.contains('\u{1b}'), "{text}");
    let classes: Vec<_> = failed["report"].as_array().unwrap().iter().map(|span| &span["class"]).collect();
    assert!(classes.iter().any(|class| *class == "bold red"), "{classes:?}");
    assert_eq!(failed["version"], before["version"]);
    assert_eq!(dev.inner(), inner, "the old page is served still, by the old server");
    dev.change(greeting("fixed"));
    let fixed = events.until("running");
    assert_eq!((&fixed["problem"], report(&fixed)), (&"".into(), String::new()));
    assert!(visit(dev.address, "/").contains("<h1>fixed</h1>"));

    dev.write("Cargo.toml", "[package]\nname = 1\n");
    let failed = events.until("failed");
    assert!(report(&failed).contains("Cargo.toml"), "what is no compiler's error is shown too: {failed}");
}

#[test]
fn a_first_build_that_fails_gives_a_page_that_says_so() {
    let dev = Dev::start(broken);
    dev.events().until("failed");
    let page = visit(dev.address, "/anything");
    assert!(page.starts_with("HTTP/1.1 503 ") && page.contains("error[E0308]"), "{page}");
    assert!(page.contains("&quot;") || page.contains("&amp;str"), "it is escaped: {page}");
    assert!(page.contains("<noscript><meta http-equiv=\"refresh\""), "{page}");
    assert!(request(dev.address, "GET", "/data", "accept: application/json\r\n", "").starts_with("HTTP/1.1 503 "));
    assert_eq!(request(dev.address, "HEAD", "/", "", ""), "", "whoever asks whether a server is there hears nothing");
    dev.change(str::to_owned);
    dev.events().until("running");
    assert!(visit(dev.address, "/").contains("<h1>one</h1>"));
}

#[test]
fn a_style_sheet_is_exchanged_without_a_restart() {
    let dev = Dev::serving();
    let inner = dev.inner();
    let mut events = dev.events();
    let before = events.until("running");
    dev.write("static/style.css", "h1 { color: green }");
    let styled = events.find("the styles are others", |status| status["styles"] != before["styles"]);
    assert_eq!(styled["version"], before["version"]);
    assert!(visit(dev.address, "/static/style.css").ends_with("h1 { color: green }"));
    dev.write("static/new.svg", "<svg/>");
    let reloaded = events.find("the page is another", |status| status["version"] != before["version"]);
    assert_eq!(reloaded["styles"], styled["styles"]);
    assert_eq!(dev.inner(), inner, "the server is the same");
}

#[test]
fn a_server_that_ends_is_told_and_started_again_by_a_change() {
    let dev = Dev::serving();
    let mut events = dev.events();
    events.until("running");
    // The answer to this never comes.
    visit(dev.address, "/end");
    let ended = events.until("ended");
    assert_eq!(ended["problem"], "the server ended with code 7");
    assert!(report(&ended).contains("this is the end"), "{ended}");
    let page = visit(dev.address, "/");
    assert!(page.starts_with("HTTP/1.1 503 ") && page.contains("this is the end"), "{page}");
    until("it is said", || dev.said().contains("it is started again when something changes"));
    dev.write("static/style.css", "h1 { color: blue }");
    events.until("running");
    assert!(visit(dev.address, "/").contains("<h1>one</h1>"));
}

#[test]
fn a_server_that_can_not_begin_says_why() {
    let dev = Dev::start(|main| main.replace("fn main() {", "fn main() {\n    panic!(\"no database\");"));
    let ended = dev.events().until("ended");
    assert_eq!(ended["problem"], "the server ended with code 101");
    assert!(report(&ended).contains("no database"), "{ended}");
}

#[test]
fn requests_and_sockets_pass_through() {
    let dev = Dev::serving();
    let page = visit(dev.address, "/");
    let script = "<script type=\"module\" src=\"/_mizu_dev/client.js?version=";
    assert!(page.contains(&format!("<link rel=\"stylesheet\" href=\"/static/style.css\">{script}")), "{page}");
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    assert!(head.contains("content-security-policy: default-src 'self'") && !head.contains("etag"), "{head}");
    assert!(body.contains("<p id=\"dev\">true</p><p id=\"secret\">64</p>"), "development mode, with a secret: {body}");

    let text = request(dev.address, "GET", "/head", "accept-encoding: gzip\r\nif-none-match: \"1\"\r\n", "");
    assert!(text.contains("accept-encoding: identity") && text.contains("if-none-match: \"1\""), "{text}");
    assert!(text.contains(&format!("host: {}", dev.address)), "{text}");
    assert!(text.contains("etag: \"1\""), "what is no page is left alone: {text}");
    assert!(request(dev.address, "POST", "/post", "", "a body").ends_with("\r\n\r\na body"));
    assert!(visit(dev.address, "/nowhere").starts_with("HTTP/1.1 404 "));
    assert!(visit(dev.address, "/_mizu_dev/client.css").contains("content-type: text/css"));
    assert!(visit(dev.address, "/_mizu_dev/nothing").starts_with("HTTP/1.1 404 "));

    let mut socket = TcpStream::connect(dev.address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(b"GET /echo HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").unwrap();
    let mut read = vec![0; 4_096];
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let count = socket.read(&mut read[..1]).unwrap();
        assert_eq!(count, 1, "{head}");
        head.push(char::from(read[0]));
    }
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    for text in ["over", "and over"] {
        socket.write_all(text.as_bytes()).unwrap();
        socket.read_exact(&mut read[..text.len()]).unwrap();
        assert_eq!(&read[..text.len()], text.as_bytes());
    }
}

#[test]
fn nothing_is_left_running() {
    for signal in ["INT", "TERM", "HUP"] {
        let dev = Dev::serving();
        let (inner, address) = (dev.inner(), dev.address);
        let mut events = dev.events();
        events.next();
        let status = dev.end(signal);
        assert!(status.success(), "{signal}: {status}");
        assert!(TcpStream::connect(address).is_err() && TcpStream::connect(inner).is_err(), "{signal}");
    }
}

#[test]
fn what_keeps_it_from_beginning_is_said() {
    let empty = tempfile::tempdir().unwrap();
    let said = refusal(&mizu().arg("dev").current_dir(empty.path()).output().unwrap());
    assert!(said.contains("there is no Cargo.toml in") && said.contains("mizu new"), "{said}");
    let dev = Dev::serving();
    let taken = dev.address.to_string();
    let said = refusal(&mizu().args(["dev", "--addr", &taken]).current_dir(dev.path("src")).output().unwrap());
    assert!(said.contains(&format!("can't listen on {taken}")) && said.contains("--addr"), "{said}");
    until("the first one still serves", || visit(dev.address, "/").contains("<h1>one</h1>"));
}
