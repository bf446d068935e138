//! Timers and tasks of a session: prepared at any time, running only while a browser holds the session or has held it.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::app::Live;
use super::mailbox::{Mail, Mailbox};

/// Names a timer of a session, to cancel it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerHandle(u64);

/// Names a task of a session, to cancel it. Dropping it changes nothing.
///
/// ```
/// # use mizu::prelude::*;
/// fn stop(search: &mut Option<mizu::TaskHandle>) {
///     if let Some(task) = search.take() { task.cancel() }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct TaskHandle(CancellationToken);

impl TaskHandle {
    /// Ends the task at its next await; its message is not sent.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

type Task<M> = Pin<Box<dyn Future<Output = M> + Send>>;

/// A session's timers and tasks. Most sessions have none, and then this is a few words.
pub(crate) struct Effects<M> {
    /// A browser holds the session.
    armed: bool,
    running: Option<Box<Running<M>>>,
}

struct Running<M> {
    waiting: Vec<(CancellationToken, Task<M>)>,
    timers: Vec<Timer<M>>,
    next: u64,
    /// Ends every task when the session is dropped.
    tasks: CancellationToken,
    _end: DropGuard,
}

struct Timer<M> {
    handle: TimerHandle,
    due: Due,
    what: What<M>,
}

/// When a timer fires: a time once its session is armed, until then a delay.
#[derive(Clone, Copy)]
enum Due {
    In(Duration),
    At(Instant),
}

enum What<M> {
    Once(Option<M>),
    Every(Duration, Box<dyn Fn() -> M + Send + Sync>),
}

impl<M> Default for Effects<M> {
    fn default() -> Self {
        Self { armed: false, running: None }
    }
}

impl<M: Send + 'static> Effects<M> {
    fn get(&mut self) -> &mut Running<M> {
        self.running.get_or_insert_with(|| {
            let tasks = CancellationToken::new();
            let end = tasks.clone().drop_guard();
            Box::new(Running { waiting: Vec::new(), timers: Vec::new(), next: 0, tasks, _end: end })
        })
    }

    fn timer(&mut self, delay: Duration, what: What<M>) -> TimerHandle {
        let armed = self.armed;
        let effects = self.get();
        let handle = TimerHandle(effects.next);
        effects.next += 1;
        let due = if armed { Due::At(Instant::now() + delay) } else { Due::In(delay) };
        effects.timers.push(Timer { handle, due, what });
        handle
    }

    pub(crate) fn after(&mut self, delay: Duration, message: M) -> TimerHandle {
        self.timer(delay, What::Once(Some(message)))
    }

    pub(crate) fn every(&mut self, period: Duration, make: impl Fn() -> M + Send + Sync + 'static) -> TimerHandle {
        // A period of nothing would keep the session busy with nothing else.
        let period = period.max(Duration::from_millis(1));
        self.timer(period, What::Every(period, Box::new(make)))
    }

    pub(crate) fn cancel(&mut self, handle: TimerHandle) {
        if let Some(effects) = &mut self.running {
            effects.timers.retain(|timer| timer.handle != handle);
        }
    }

    pub(crate) fn spawn(
        &mut self,
        live: &Live,
        mailbox: &Arc<Mailbox<M>>,
        task: impl Future<Output = M> + Send + 'static,
    ) -> TaskHandle {
        let armed = self.armed;
        let effects = self.get();
        let token = effects.tasks.child_token();
        let task: Task<M> = Box::pin(task);
        if armed {
            run(live, mailbox, token.clone(), task);
        } else {
            effects.waiting.push((token.clone(), task));
        }
        TaskHandle(token)
    }

    /// Starts what waits: a browser holds the session now.
    pub(crate) fn arm(&mut self, live: &Live, mailbox: &Arc<Mailbox<M>>) {
        self.armed = true;
        let Some(effects) = &mut self.running else { return };
        for timer in &mut effects.timers {
            if let Due::In(delay) = timer.due {
                timer.due = Due::At(Instant::now() + delay);
            }
        }
        effects.waiting.drain(..).for_each(|(token, task)| run(live, mailbox, token, task));
    }

    /// Stops time for the timers: no browser holds the session any more. Tasks go on; what they give waits in the mailbox.
    pub(crate) fn disarm(&mut self) {
        self.armed = false;
        let Some(effects) = &mut self.running else { return };
        let now = Instant::now();
        for timer in &mut effects.timers {
            if let Due::At(at) = timer.due {
                timer.due = Due::In(at.saturating_duration_since(now));
            }
        }
    }

    /// When the next timer fires, if there is one and the session is armed.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let effects = self.running.as_ref()?;
        let due = |timer: &Timer<M>| if let Due::At(at) = timer.due { Some(at) } else { None };
        effects.timers.iter().filter_map(due).min()
    }

    /// The messages of the timers that are due, earliest first.
    pub(crate) fn fire(&mut self, now: Instant) -> Vec<M> {
        let Some(effects) = &mut self.running else { return Vec::new() };
        let mut fired = Vec::new();
        effects.timers.retain_mut(|timer| {
            let Due::At(at) = timer.due else { return true };
            if at > now {
                return true;
            }
            match &mut timer.what {
                What::Once(message) => {
                    fired.extend(message.take().map(|message| (at, message)));
                    false
                }
                What::Every(period, make) => {
                    fired.push((at, make()));
                    // Ticks that were missed are left out; the rhythm is kept.
                    let late = now.duration_since(at).as_nanos() / period.as_nanos();
                    let steps = u32::try_from(late + 1).unwrap_or(u32::MAX);
                    timer.due = Due::At(at + period.saturating_mul(steps));
                    true
                }
            }
        });
        fired.sort_by_key(|(at, _)| *at);
        fired.into_iter().map(|(_, message)| message).collect()
    }
}

fn run<M: Send + 'static>(live: &Live, mailbox: &Arc<Mailbox<M>>, token: CancellationToken, task: Task<M>) {
    let mailbox = mailbox.clone();
    live.shutdown().spawn(async move {
        match token.run_until_cancelled(AssertUnwindSafe(task).catch_unwind()).await {
            Some(Ok(message)) => drop(mailbox.push(Mail::Message(message))),
            Some(Err(_)) => tracing::error!("a task of a page panicked; its message is not sent"),
            None => {}
        }
    });
}
