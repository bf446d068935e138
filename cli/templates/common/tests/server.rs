//! The server as browsers meet it.

mod support;

use self::support::Server;

#[test]
fn pages_and_files_are_served() {
    let server = Server::start();
    for path in ["/", "/about"] {
        let page = server.get(path);
        assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
        assert!(
            page.contains("content-security-policy: default-src 'self'"),
            "{page}"
        );
        assert!(page.contains("<main id=\"main\">"), "{page}");
    }
    let style = server.get("/static/style.css");
    assert!(
        style.starts_with("HTTP/1.1 200 ") && style.contains("content-type: text/css"),
        "{style}"
    );
}

#[test]
fn nothing_else_is_served() {
    let server = Server::start();
    for path in [
        "/nowhere",
        "/static/nothing.css",
        "/static/../Cargo.toml",
        "/static/%2e%2e/Cargo.toml",
    ] {
        let answer = server.get(path);
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
}
