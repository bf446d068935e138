//! A client for HTTP/1.1 that does as little as it can, so that the server is what is measured.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Result;

/// One connection that is kept alive.
pub(crate) struct Http {
    stream: TcpStream,
    /// What was read; an answer starts where the buffer does.
    buffer: Vec<u8>,
}

impl Http {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(8 * 1024) })
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<&[u8]> {
        self.request(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &[u8]) -> Result<&[u8]> {
        self.post_as(path, "application/octet-stream", body).await
    }

    pub(crate) async fn post_json(&mut self, path: &str, body: &[u8]) -> Result<&[u8]> {
        self.post_as(path, "application/json", body).await
    }

    async fn post_as(&mut self, path: &str, kind: &str, body: &[u8]) -> Result<&[u8]> {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
        );
        self.request(&[head.as_bytes(), body].concat()).await
    }

    /// Sends a request and gives the body of its answer.
    async fn request(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed instead of answering".into());
            }
            if let Some((start, end)) = extent(&self.buffer)?
                && self.buffer.len() >= end
            {
                return Ok(&self.buffer[start..end]);
            }
        }
    }
}

/// Where the body of an answer starts and ends, once its head is complete.
fn extent(answer: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end])?;
    if !head.starts_with("HTTP/1.1 2") {
        return Err(format!("an answer that is no success: {head}").into());
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(Ok(0), str::parse::<usize>)?;
    Ok(Some((end + 4, end + 4 + length)))
}
