//! A server that needs nothing but the standard library, so that it is built in a moment.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// What tests change.
const GREETING: &str = "one";

fn main() {
    let addr = std::env::var("ADDR").expect("ADDR says where to listen");
    let listener = TcpListener::bind(&addr).expect("the address is free");
    println!("listening on http://{addr}");
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || serve(stream));
    }
}

fn serve(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let path = head.split([' ', '?']).nth(1).unwrap_or("/").to_owned();
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).expect("the whole body comes");
    match path.as_str() {
        "/" => answer(&mut stream, "text/html", page().as_bytes()),
        "/head" => answer(&mut stream, "text/plain", head.as_bytes()),
        "/post" => answer(&mut stream, "text/plain", &body),
        "/static/style.css" => answer(&mut stream, "text/css", &std::fs::read("static/style.css").expect("a file")),
        "/end" => {
            eprintln!("this is the end");
            std::process::exit(7);
        }
        "/echo" => {
            stream
                .write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
                .expect("sent");
            std::io::copy(&mut reader, &mut stream).expect("echoed");
        }
        _ => {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").expect("sent")
        }
    }
}

fn page() -> String {
    let variable = |name| std::env::var(name).unwrap_or_default();
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><title>Tiny</title><link rel=\"stylesheet\" href=\"/static/style.css\"></head>\
         <body><h1>{GREETING}</h1><p id=\"addr\">{}</p><p id=\"dev\">{}</p><p id=\"secret\">{}</p>\
         <form id=\"order\"><input name=\"what\"><textarea name=\"why\"></textarea><input type=\"checkbox\" name=\"soon\" value=\"yes\">\
         <select name=\"size\"><option>small</option><option>large</option></select></form>\
         <div id=\"far\">far down</div></body></html>",
        variable("ADDR"),
        variable("DEV"),
        variable("MIZU_SECRET").len(),
    )
}

fn answer(stream: &mut TcpStream, kind: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\netag: \"1\"\r\n\
         content-security-policy: default-src 'self'\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).expect("sent");
}
