//! Connecting, again and again.

use std::{future::Future, io, sync::Arc, time::Duration};

use tokio_util::task::TaskTracker;

use crate::live::{ConnectError, pubsub::remote::Node};

/// How often a connection that says nothing is asked for a sign of life.
pub(in crate::live::pubsub) const HEARTBEAT: Duration = Duration::from_secs(3);

/// The waits between attempts double from the first to the last, each times a random half to whole.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Speaks to one kind of server.
pub(in crate::live::pubsub) trait Carrier: Send + Sync + 'static {
    /// The way to the server that others than the serving task use.
    type Link: Clone + Send + Sync + 'static;
    /// One connection.
    type Connection: Send;

    fn node(&self) -> &Arc<Node<Self::Link>>;

    /// Connects once.
    fn connect(&self) -> impl Future<Output = io::Result<Self::Connection>> + Send;

    /// Subscribes to all that is wanted, then opens the way with [`Node::up`], then serves until the connection is
    /// lost, and says why.
    fn serve(&self, connection: Self::Connection, again: bool) -> impl Future<Output = io::Error> + Send;
}

/// Connects for the first time, and keeps connected from then on.
pub(in crate::live::pubsub) async fn keep<C: Carrier>(carrier: C, tasks: &TaskTracker) -> Result<(), ConnectError> {
    let node = Arc::clone(carrier.node());
    let connection = carrier.connect().await?;
    tasks.spawn(async move {
        let node = Arc::clone(carrier.node());
        node.stop.run_until_cancelled(serve(carrier, connection)).await;
        node.down();
        node.interests.clear();
    });
    Ok(node.ready().await?)
}

async fn serve<C: Carrier>(carrier: C, mut connection: C::Connection) {
    let (node, mut again, mut failures) = (Arc::clone(carrier.node()), false, 0);
    loop {
        let lost = carrier.serve(connection, again).await;
        if node.down() {
            tracing::warn!(prefix = node.prefix(), error = %lost, "pubsub lost its connection");
            (again, failures) = (true, 0);
        }
        connection = loop {
            tokio::time::sleep(wait(failures)).await;
            failures += 1;
            match carrier.connect().await {
                Ok(connection) => break connection,
                Err(error) => tracing::debug!(prefix = node.prefix(), failures, %error, "pubsub can't connect yet"),
            }
        };
    }
}

fn wait(failures: u32) -> Duration {
    let longest = BACKOFF.0.saturating_mul(2_u32.saturating_pow(failures)).min(BACKOFF.1);
    longest.mul_f64(rand::random_range(0.5..1.0))
}

/// An adapter's tasks. They end when the last handle is dropped.
pub(in crate::live::pubsub) struct Tasks {
    pub(in crate::live::pubsub) tracker: TaskTracker,
    stop: tokio_util::sync::CancellationToken,
}

impl Tasks {
    pub(in crate::live::pubsub) fn of<L>(node: &Node<L>) -> Self {
        Self { tracker: TaskTracker::new(), stop: node.stop.clone() }
    }

    /// Ends them, and waits until they have ended.
    pub(in crate::live::pubsub) async fn close(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound() {
        for (failures, longest) in [(0, 50), (1, 100), (5, 1_600), (6, 2_000), (u32::MAX, 2_000)] {
            let longest = Duration::from_millis(longest);
            let waited = wait(failures);
            assert!(longest / 2 <= waited && waited <= longest, "{waited:?} after {failures}");
        }
    }
}
