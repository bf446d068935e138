//! The life of one connection: one task, one loop, which alone touches the socket.
//!
//! In turn, whatever comes first: something waits to be written, the handler is done with the last message, the
//! peer sent something, nothing was heard for too long. While a message is handled none is read, and while
//! something is written nothing else happens, so a peer that doesn't read can't make us read either.

use std::{any::Any, future::Future, panic::AssertUnwindSafe, pin::Pin, sync::Arc};

use futures::FutureExt;
use tokio::time::{Instant, sleep_until};

use crate::live::{
    CloseCause, CloseCode, Codec, Connection, DecodeError, Handler, Kind, Limits, Message, Ref, TokenBucket, Topic,
    server::{admission::Seat, serving::Core},
    socket::{Received, Socket, SocketError},
};

/// How many messages are fed before they are flushed, at most.
const BATCH: usize = 128;

/// A message in the handler's hands. Boxed, because its size would count for every idle connection.
type Handling<'a> = Pin<Box<dyn Future<Output = Result<(), Box<dyn Any + Send>>> + Send + 'a>>;

/// Not an `async fn`, which would keep its arguments twice: as they were given, and as they are used.
#[expect(clippy::manual_async_fn, reason = "it costs memory for every idle connection")]
pub(super) fn run<S: Socket, H: Handler>(
    mut socket: S,
    connection: Connection,
    core: Arc<Core<H>>,
    seat: Seat,
) -> impl Future<Output = ()> + Send {
    async move {
        let _seat = &seat;
        let mut life = Life::begin(&connection, &core.handler);
        let mut handling = None;
        let mut cause = drive(&mut socket, &connection, &core, &mut handling).await;
        connection.close_for(cause.clone());
        if let Some(handling) = handling
            && handling.await.is_err()
        {
            cause = CloseCause::HandlerPanicked;
        }
        // The application hears of it first: telling the peer may take a while.
        life.end(&cause);
        farewell(&mut socket, &connection, &cause).await;
        drop(life);
        if !matches!(cause, CloseCause::Lost | CloseCause::WriteTimeout) {
            socket.linger().await;
        }
    }
}

/// Runs until there is a reason to end, which it gives.
async fn drive<'a, S: Socket, H: Handler>(
    socket: &mut S,
    connection: &'a Connection,
    core: &'a Core<H>,
    handling: &mut Option<Handling<'a>>,
) -> CloseCause {
    let limits = &core.common.limits;
    let mut intake = Intake::new(limits);
    let mut last_heard = Instant::now();
    let mut silence = std::pin::pin!(sleep_until(last_heard + limits.heartbeat));
    let mut pinged = None;
    let mut announced = false;
    loop {
        if let Err(cause) = write_waiting(socket, connection).await {
            return cause;
        }
        if let Some(cause) = connection.closing() {
            if cause == CloseCause::Shutdown && !announced {
                announced = true;
                if let Err(cause) = announce(socket, connection).await {
                    return cause;
                }
            }
            if handling.is_none() {
                return cause;
            }
        }
        tokio::select! {
            // Each turn begins with writing, so reading first starves nobody, and a peer that has spoken is heard
            // before it is found silent.
            biased;
            outcome = poll(handling) => {
                *handling = None;
                if outcome.is_err() {
                    return CloseCause::HandlerPanicked;
                }
            }
            received = socket.receive(), if handling.is_none() => {
                last_heard = Instant::now();
                let message = match received {
                    Ok(Received::Frame(frame)) => connection.format().decode(frame).map(Some),
                    Ok(Received::Control) => Ok(None),
                    Ok(Received::Closed { code, reason }) => {
                        return CloseCause::Peer { code, reason };
                    }
                    Err(error) => return error.into(),
                };
                let message = match message {
                    Ok(message) => message,
                    Err(error) => return error.into(),
                };
                match intake.check(message, connection, last_heard) {
                    Ok(Some(message)) => *handling = begin(&core.handler, connection, message),
                    Ok(None) => {}
                    Err(Flood) => return CloseCause::RateLimited,
                }
            }
            () = connection.woken() => {}
            () = &mut silence => {
                let now = Instant::now();
                if handling.is_some() {
                    // Nothing is read meanwhile, so nothing could be heard.
                    last_heard = now;
                }
                let next = match pinged.filter(|pinged| last_heard < *pinged) {
                    Some(pinged) if now >= pinged + limits.heartbeat => {
                        return CloseCause::HeartbeatTimeout;
                    }
                    Some(pinged) => pinged + limits.heartbeat,
                    None if now >= last_heard + limits.heartbeat => {
                        if let Err(error) = socket.ping().await {
                            return error.into();
                        }
                        // Counted from the ping: a machine that was asleep must not take its peers for dead.
                        pinged = Some(now);
                        now + limits.heartbeat
                    }
                    None => last_heard + limits.heartbeat,
                };
                silence.as_mut().reset(next);
            }
        }
    }
}

async fn poll(handling: &mut Option<Handling<'_>>) -> Result<(), Box<dyn Any + Send>> {
    match handling {
        Some(handling) => handling.await,
        None => std::future::pending().await,
    }
}

fn begin<'a, H: Handler>(handler: &'a H, connection: &'a Connection, message: Message) -> Option<Handling<'a>> {
    // A panic ends this connection only, and the handler is told so by `on_close`.
    Some(Box::pin(AssertUnwindSafe(handler.on_message(connection, message)).catch_unwind()))
}

/// Writes all that waits, and flushes once; gives up when the peer is hopelessly behind.
async fn write_waiting<S: Socket>(socket: &mut S, connection: &Connection) -> Result<(), CloseCause> {
    while connection.has_waiting() {
        let writing = async {
            for _ in 0..BATCH {
                let Some(frame) = connection.take() else {
                    break;
                };
                socket.feed(frame, connection.format()).await?;
                connection.common().counters.sent.increment();
            }
            socket.flush().await
        };
        let mut writing = std::pin::pin!(writing);
        loop {
            tokio::select! {
                biased;
                written = &mut writing => {
                    written.map_err(CloseCause::from)?;
                    break;
                }
                () = connection.woken() => {
                    if connection.closing() == Some(CloseCause::SlowConsumer) {
                        return Err(CloseCause::SlowConsumer);
                    }
                }
            }
        }
        connection.flushed();
    }
    Ok(())
}

/// Tells the client when to come back.
async fn announce<S: Socket>(socket: &mut S, connection: &Connection) -> Result<(), CloseCause> {
    let delay = connection.common().shutdown.reconnect_after();
    let body = (CloseCode::SHUTDOWN.name(), delay.as_millis() as u32);
    let Ok(body) = connection.format().to_bytes(&body) else {
        return Ok(());
    };
    let message = Message::new(Kind::CLOSE, Topic::connection(), Ref::PUSH, body);
    let Ok(frame) = connection.format().encode(&message) else {
        return Ok(());
    };
    socket.feed(frame.into_bytes(), connection.format()).await?;
    socket.flush().await?;
    Ok(())
}

/// Writes what still waits, and why the connection ends.
async fn farewell<S: Socket>(socket: &mut S, connection: &Connection, cause: &CloseCause) {
    let told = match cause {
        CloseCause::Lost | CloseCause::WriteTimeout => return,
        // The answer to the peer's close waits in the socket.
        CloseCause::Peer { .. } => socket.flush().await,
        cause => {
            let code = cause.code().unwrap_or(CloseCode::NORMAL);
            match write_waiting(socket, connection).await {
                Ok(()) | Err(CloseCause::SlowConsumer) => socket.close(code, cause.reason()).await,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = told {
        tracing::trace!(?error, id = %connection.id(), "the peer was not told why it is closed");
    }
}

/// Counts a connection while it lives, and ends it on every way out.
struct Life<'a, H: Handler> {
    connection: &'a Connection,
    handler: &'a H,
    ended: bool,
}

impl<'a, H: Handler> Life<'a, H> {
    fn begin(connection: &'a Connection, handler: &'a H) -> Self {
        let common = connection.common();
        common.open.lock().insert(connection.id(), connection.clone());
        common.counters.opened.increment();
        if common.shutdown.is_draining() {
            // Whoever closes the others may have looked before this one was there.
            connection.close_for(CloseCause::Shutdown);
        }
        Self { connection, handler, ended: false }
    }

    fn end(&mut self, cause: &CloseCause) {
        self.ended = true;
        self.connection.leave_topics();
        let counters = &self.connection.common().counters;
        counters.closed.increment();
        match cause {
            CloseCause::Peer { .. } => &counters.closed_by_peer,
            CloseCause::Lost => &counters.lost,
            CloseCause::Local { .. } => &counters.closed_locally,
            CloseCause::ProtocolError { .. } => &counters.protocol_errors,
            CloseCause::MessageTooBig => &counters.too_big,
            CloseCause::SlowConsumer => &counters.slow_consumers,
            CloseCause::WriteTimeout => &counters.write_timeouts,
            CloseCause::HeartbeatTimeout => &counters.heartbeat_timeouts,
            CloseCause::RateLimited => &counters.floods,
            CloseCause::HandlerPanicked => &counters.panics,
            CloseCause::Shutdown => &counters.shutdowns,
        }
        .increment();
        tracing::debug!(id = %self.connection.id(), %cause, "a connection ended");
        self.handler.on_close(self.connection, cause);
    }
}

impl<H: Handler> Drop for Life<'_, H> {
    fn drop(&mut self) {
        if !self.ended {
            // Only the deadline of a shutdown drops the loop in the middle.
            self.end(&CloseCause::Shutdown);
        }
        self.connection.end();
        self.connection.common().open.lock().remove(&self.connection.id());
    }
}

/// What a client may still send.
struct Intake {
    messages: TokenBucket,
    joins: TokenBucket,
    refusals: TokenBucket,
}

/// The client goes on although it was told not to.
struct Flood;

impl Intake {
    fn new(limits: &Limits) -> Self {
        Self {
            messages: TokenBucket::new(limits.messages),
            joins: TokenBucket::new(limits.joins),
            refusals: TokenBucket::new(limits.refusals),
        }
    }

    /// What the handler should see of this; `None` was a control frame.
    fn check(
        &mut self,
        message: Option<Message>,
        connection: &Connection,
        now: Instant,
    ) -> Result<Option<Message>, Flood> {
        let counters = &connection.common().counters;
        let now = now.into_std();
        let mut room = self.messages.take(now);
        let Some(message) = message else {
            return match room.or_else(|_| self.refusals.take(now)) {
                Ok(()) => Ok(None),
                Err(_) => Err(Flood),
            };
        };
        counters.received.increment();
        if room.is_ok() && message.kind == Kind::JOIN {
            room = self.joins.take(now);
        }
        if let Err(retry) = room {
            counters.rate_limited.increment();
            self.refusals.take(now).map_err(|_| Flood)?;
            refuse(connection, &message, &retry.to_string());
            return Ok(None);
        }
        if message.kind == Kind::HEARTBEAT {
            // A full queue closes the connection, which the loop sees by itself.
            let _ = connection.send(message);
            return Ok(None);
        }
        if !message.kind.is_known() {
            counters.ignored.increment();
            return Ok(None);
        }
        Ok(Some(message))
    }
}

/// Answers a message that came too early: code, text, recoverable.
fn refuse(connection: &Connection, message: &Message, text: &str) {
    let body = (CloseCode::RATE_LIMITED.name(), text, true);
    if let Ok(body) = connection.format().to_bytes(&body) {
        let topic = message.topic.clone();
        let _ = connection.send(Message::new(Kind::ERROR, topic, message.reference, body));
    }
}

impl From<SocketError> for CloseCause {
    fn from(error: SocketError) -> Self {
        match error {
            SocketError::Lost => Self::Lost,
            SocketError::TooBig => Self::MessageTooBig,
            SocketError::Malformed(reason) => Self::ProtocolError { reason },
            SocketError::TimedOut => Self::WriteTimeout,
        }
    }
}

impl From<DecodeError> for CloseCause {
    fn from(error: DecodeError) -> Self {
        Self::ProtocolError { reason: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::socket::WebSocket;

    struct Quiet;

    impl Handler for Quiet {
        async fn on_message(&self, _: &Connection, _: Message) {
            // Held across an await, as a handler that does real work would.
            let large = [0_u8; 64 * 1024];
            tokio::task::yield_now().await;
            std::hint::black_box(large);
        }
    }

    fn size<S, H, F>(_run: fn(S, Connection, Arc<Core<H>>, Seat) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_connection_is_small_whatever_its_handler_needs() {
        let size = size(run::<WebSocket, Quiet>);
        assert!(size <= 1_536, "the loop of a connection takes {size} bytes");
    }
}
