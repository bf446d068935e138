//! Clients that write as fast as they are answered, and resend what they are not sure of, as real ones do.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rand::prelude::*;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::wire::{Copy, Http, client_id, mutation, push};

/// How many clients write.
pub(crate) const WRITERS: u64 = 6;

/// How many rooms they write to.
pub(crate) const ROOMS: u64 = 3;

/// When a client comes again that was told to.
const RETRY: Duration = Duration::from_millis(50);

/// Every so many mutations touch the hall as well.
pub(crate) const ALSO: u64 = 5;

pub(crate) fn room(writer: u64) -> String {
    format!("room:{}", writer % ROOMS)
}

/// All scopes, and a client that writes to each.
pub(crate) fn scopes() -> impl Iterator<Item = (String, String)> {
    (0..ROOMS).map(|at| (room(at), client_id(at))).chain([("hall".to_owned(), client_id(0))])
}

/// The mutation of a writer with a number: the same whenever it is asked for.
pub(crate) fn add(writer: u64, seq: u64) -> Value {
    let client = client_id(writer);
    let also = seq.is_multiple_of(ALSO).then_some("hall");
    mutation(seq, "add", &room(writer), json!({ "client": client, "id": format!("{client}/{seq:06}"), "also": also }))
}

/// What the clients and the test know of each other.
#[derive(Clone)]
pub(crate) struct Load {
    /// Which server is the present one: its number and address.
    server: watch::Sender<(u64, SocketAddr)>,
    /// How many mutations were acknowledged.
    acknowledged: watch::Sender<u64>,
    /// How many pushes ended without an answer.
    uncertain: Arc<AtomicU64>,
    /// Writers begin nothing new.
    enough: Arc<AtomicBool>,
    /// Writers have ended; readers end where nothing is left to read.
    ended: Arc<AtomicBool>,
}

/// What the clients have seen: for each writer the places that its mutations were acknowledged at, for each scope what was pulled bit by bit.
pub(crate) struct Seen {
    pub(crate) places: BTreeMap<u64, Vec<u64>>,
    pub(crate) copies: BTreeMap<String, Copy>,
}

/// The clients.
pub(crate) struct Clients {
    writers: JoinSet<(u64, Vec<u64>)>,
    readers: JoinSet<(String, Copy)>,
}

impl Load {
    pub(crate) fn start(address: SocketAddr) -> (Self, Clients) {
        let load = Self {
            server: watch::Sender::new((0, address)),
            acknowledged: watch::Sender::new(0),
            uncertain: Arc::default(),
            enough: Arc::default(),
            ended: Arc::default(),
        };
        let mut clients = Clients { writers: JoinSet::new(), readers: JoinSet::new() };
        for writer in 0..WRITERS {
            clients.writers.spawn(load.clone().write(writer));
        }
        for (scope, client) in scopes() {
            clients.readers.spawn(load.clone().read(scope, client));
        }
        (load, clients)
    }

    /// Another server took the place of the one before.
    pub(crate) fn moved(&self, address: SocketAddr) {
        self.server.send_modify(|server| *server = (server.0 + 1, address));
    }

    /// Where the present server is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.borrow().1
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        *self.acknowledged.borrow()
    }

    /// Waits until so many more were acknowledged.
    pub(crate) async fn progress(&self, more: u64) {
        let goal = self.acknowledged() + more;
        self.acknowledged.subscribe().wait_for(|acknowledged| *acknowledged >= goal).await.unwrap();
    }

    /// How it went, for whoever reads the output of a test.
    pub(crate) fn tell(&self, spent: Duration, what: &str) {
        let (mutations, seconds) = (self.acknowledged(), spent.as_secs_f64());
        let (rate, uncertain) = (mutations as f64 / seconds, self.uncertain.load(Ordering::Relaxed));
        println!("{mutations} mutations in {seconds:.1} s, {rate:.0} a second; {uncertain} asked again; {what}");
    }

    async fn write(self, writer: u64) -> (u64, Vec<u64>) {
        let mut random = StdRng::seed_from_u64(writer);
        let (mut places, mut http, mut server) = (Vec::new(), None, self.server.subscribe());
        while !self.enough.load(Ordering::SeqCst) {
            let first = places.len() as u64 + 1;
            let batch: Vec<_> = (first..first + random.random_range(1..=20)).map(|seq| add(writer, seq)).collect();
            let body = push(&client_id(writer), batch.clone()).to_string();
            // The fence: nothing later is sent until this was answered.
            let answer = loop {
                match attempt(&mut http, &mut server, "/_sync/push", &body).await {
                    Some(answer) => break answer,
                    None => self.uncertain.fetch_add(1, Ordering::Relaxed),
                };
            };
            let results = answer["results"].as_array().unwrap();
            assert_eq!(results.len(), batch.len());
            for result in results {
                assert_eq!(
                    (&result["status"], &result["seq"]),
                    (&json!("applied"), &json!(places.len() + 1)),
                    "{result}"
                );
                places.push(position(result["cursor"].as_str().unwrap()));
            }
            self.acknowledged.send_modify(|acknowledged| *acknowledged += batch.len() as u64);
        }
        (writer, places)
    }

    async fn read(self, scope: String, client: String) -> (String, Copy) {
        let (mut copy, mut http, mut server) = (Copy::default(), None, self.server.subscribe());
        let mut acknowledged = self.acknowledged.subscribe();
        loop {
            acknowledged.mark_unchanged();
            let ended = self.ended.load(Ordering::SeqCst);
            let ask = json!({ "client": client, "scope": scope, "cursor": copy.cursor, "limit": 200 }).to_string();
            let Some(pulled) = attempt(&mut http, &mut server, "/_sync/pull", &ask).await else { continue };
            copy.apply(&pulled);
            if pulled["has_more"] == true {
                continue;
            }
            if ended {
                return (scope, copy);
            }
            acknowledged.changed().await.unwrap();
        }
    }
}

/// Asks the present server. None when no answer came, or one that says to come again.
async fn attempt(
    http: &mut Option<(u64, Http)>,
    server: &mut watch::Receiver<(u64, SocketAddr)>,
    path: &str,
    body: &str,
) -> Option<Value> {
    let (number, address) = *server.borrow_and_update();
    let mut connected = match http.take() {
        Some((old, http)) if old == number => http,
        _ => match Http::connect(address).await {
            Ok(http) => http,
            Err(_) => {
                server.wait_for(|(now, _)| *now > number).await.unwrap();
                return None;
            }
        },
    };
    let answer = connected.post_raw(path, body.as_bytes()).await.ok()?;
    *http = Some((number, connected));
    if answer.status == 503 {
        let error = answer.error(503, "unavailable");
        assert!(answer.header("retry-after").is_some() && error["results"].as_array().is_none_or(Vec::is_empty));
        // Less patient than it was asked to be.
        tokio::time::sleep(RETRY).await;
        return None;
    }
    Some(answer.ok())
}

/// The place that a cursor names.
pub(crate) fn position(cursor: &str) -> u64 {
    u64::from_str_radix(cursor.split('-').nth(1).unwrap(), 16).unwrap()
}

impl Clients {
    /// Fails where a client has failed.
    pub(crate) fn are_well(&mut self) {
        if let Some(ended) = self.writers.try_join_next() {
            panic!("a writer ended early: {:?}", ended.map(|(writer, _)| writer));
        }
        if let Some(ended) = self.readers.try_join_next() {
            panic!("a reader ended early: {:?}", ended.map(|(scope, _)| scope));
        }
    }

    /// Lets everybody come to an end.
    pub(crate) async fn finish(mut self, load: &Load) -> Seen {
        load.enough.store(true, Ordering::SeqCst);
        let mut places = BTreeMap::new();
        while let Some(writer) = self.writers.join_next().await {
            places.extend([writer.unwrap()]);
        }
        // Readers look once more, at all there is.
        load.ended.store(true, Ordering::SeqCst);
        load.acknowledged.send_modify(|_| {});
        let mut copies = BTreeMap::new();
        while let Some(reader) = self.readers.join_next().await {
            copies.extend([reader.unwrap()]);
        }
        Seen { places, copies }
    }
}
