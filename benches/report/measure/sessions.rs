//! Many connections to one server.

use std::net::SocketAddr;
use std::ops::Range;

use crate::Result;
use crate::client::{Browser, Socket};
use crate::http::Http;

/// Who opens connections at the same time: enough to keep the server busy, too few to overrun its backlog.
const OPENERS: usize = 32;

/// Runs `make` for each number below `count`, some at a time, and gives what it made in order.
pub(crate) async fn many<T, F>(count: usize, make: impl Fn(Range<usize>) -> F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<Vec<T>>> + Send + 'static,
{
    let share = count.div_ceil(OPENERS);
    let shares = (0..OPENERS).map(|opener| (opener * share).min(count)..((opener + 1) * share).min(count));
    let tasks: Vec<_> = shares.map(|share| tokio::spawn(make(share))).collect();
    let mut all = Vec::with_capacity(count);
    for task in tasks {
        all.extend(task.await??);
    }
    Ok(all)
}

/// Browsers that have loaded and joined a page.
pub(crate) async fn browsers(address: SocketAddr, url: &'static str, count: usize) -> Result<Vec<Browser>> {
    let open = move |share: Range<usize>| async move {
        let mut browsers = Vec::with_capacity(share.len());
        if !share.is_empty() {
            let mut http = Http::connect(address).await?;
            for _ in share {
                browsers.push(Browser::open(&mut http, address, url).await?);
            }
        }
        Ok(browsers)
    };
    many(count, open).await
}

/// Sockets to a path of the baseline.
pub(crate) async fn sockets(address: SocketAddr, path: &str, count: usize) -> Result<Vec<Socket>> {
    let open = |share: Range<usize>| {
        let path = path.to_owned();
        async move {
            let mut sockets = Vec::with_capacity(share.len());
            for _ in share {
                sockets.push(Socket::open(address, &path).await?);
            }
            Ok(sockets)
        }
    };
    many(count, open).await
}

/// Runs one piece of work for each thing at the same time, and gives the things back.
pub(crate) async fn each<T, F>(things: Vec<T>, work: impl Fn(T) -> F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let tasks: Vec<_> = things.into_iter().map(|thing| tokio::spawn(work(thing))).collect();
    let mut back = Vec::with_capacity(tasks.len());
    for task in tasks {
        back.push(task.await??);
    }
    Ok(back)
}
