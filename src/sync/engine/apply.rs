//! Mutations in: from clients, and from the server's own code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::Xxh3;

use super::core::Engine;
use crate::edge::Who;
use crate::sync::access::Access;
use crate::sync::change::Status;
use crate::sync::error::{Rejection, StoreError};
use crate::sync::ids::{NameError, Scope, Seq, check_mutation};
use crate::sync::mutation::{ApplyError, Mutation, Outcome, Push, PushError, Pushed, Sent};
use crate::sync::mutator::Scopes;
use crate::sync::work::{Done, Job, Sender, Work};

impl Engine {
    /// Applies one mutation for somebody, within this process.
    ///
    /// The answer comes after the commit. When this future is dropped the mutation goes on.
    ///
    /// # Errors
    ///
    /// - The mutation is refused for good: [`ApplyError::Rejected`].
    /// - Its key was used for another one: [`ApplyError::KeyReused`].
    /// - It can't be done now, or the store fails: try again.
    ///
    /// See [`Engine`] for an example.
    pub async fn apply(&self, who: impl Into<Who>, mutation: Mutation) -> Result<Outcome, ApplyError> {
        let who = who.into();
        let Mutation { scope, name, args, key } = mutation;
        if let Some(key) = &key
            && (key.is_empty() || key.len() > 200 || key.chars().any(char::is_control))
        {
            let message = format!("a key has 1 to 200 bytes without control characters, not {key:?}");
            return Err(Rejection::new("invalid", message).into());
        }
        let sender = key.as_ref().map_or(Sender::Nobody, |key| Sender::Key(format!("={key}").into()));
        let mut job = self.job(&who, Seq::default(), name, Ok(scope), args).await;
        if job.private {
            // Nobody waits for an acknowledgement of it: it never enters a log.
            return Err(job.run.err().unwrap_or_else(|| Rejection::new("internal", "refused")).into());
        }
        if let Err(rejection) = &mut job.run
            && key.is_none()
        {
            return Err(rejection.clone().into());
        }
        let pushed = self.write(who, sender, vec![job]).await?;
        match (pushed.results.into_iter().next(), pushed.stop) {
            (Some(Outcome { status: Status::Rejected(rejection), .. }), _) => Err(rejection.into()),
            (Some(outcome), _) => Ok(outcome),
            (None, Some(PushError::SeqReused { .. })) => Err(ApplyError::KeyReused(key.unwrap_or_default())),
            (None, Some(PushError::Store(error))) => Err(error.into()),
            (None, Some(stop)) => Err(ApplyError::Unavailable(stop.to_string())),
            (None, None) => Err(StoreError::message("the store gave no outcome").into()),
        }
    }

    /// Applies what a client sent, in order, each exactly once.
    ///
    /// When this future is dropped the push goes on.
    ///
    /// ```
    /// use mizu::sync::{Engine, MemoryStore, Push, Status, Tx};
    /// use mizu::Who;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let engine = Engine::builder(MemoryStore::new())
    ///     .mutator("set", async |tx: &mut Tx, value: i64| tx.put_row("value", "v", &value).await)
    ///     .public("values")
    ///     .build();
    /// let push: Push = serde_json::from_str(
    ///     r#"{"client":"k3nU0cVbT2yqfZQhJ7xA1g","mutations":[{"seq":1,"name":"set","scope":"values","args":7}]}"#,
    /// ).unwrap();
    ///
    /// let pushed = engine.push(Who::anybody(), push.clone()).await;
    /// assert_eq!(pushed.results[0].status, Status::Applied);
    /// // Again, as a client does that did not get the answer: the same answer, and nothing happens twice.
    /// assert_eq!(engine.push(Who::anybody(), push).await.results, pushed.results);
    /// # });
    /// ```
    pub async fn push(&self, who: impl Into<Who>, push: Push) -> Pushed {
        let who = who.into();
        let Push { client, user, mutations } = push;
        let refused = |stop| Pushed { results: Vec::new(), stop: Some(stop) };
        if user.is_some_and(|user| user != who.key()) {
            return refused(PushError::OtherUser);
        }
        if mutations.len() > self.inner.limits.mutations {
            return refused(PushError::TooMany { most: self.inner.limits.mutations });
        }
        if mutations.is_empty() {
            return Pushed { results: Vec::new(), stop: None };
        }
        let mut jobs = Vec::with_capacity(mutations.len());
        for Sent { seq, name, scope, args, .. } in mutations {
            let mut job = self.job(&who, seq, name, scope.parse(), args).await;
            if job.private {
                job.scopes = vec![Scope::private(client.as_str())];
            }
            jobs.push(job);
        }
        let sender = Sender::Client(client.as_str().into());
        match self.write(who, sender, jobs).await {
            Ok(pushed) => pushed,
            Err(error) => refused(error.into()),
        }
    }

    /// Makes a mutation ready to run, or to be refused.
    async fn job(
        &self,
        who: &Who,
        seq: Seq,
        name: String,
        scope: Result<Scope, NameError>,
        args: Box<RawValue>,
    ) -> Job {
        let named = scope.as_ref().map_or("", Scope::as_str);
        let hash = hash(&name, named, &args);
        let refused = |name, args, scopes, private, rejection| Job {
            seq,
            name,
            scopes,
            args,
            hash,
            run: Err(rejection),
            private,
        };
        let scope = match scope {
            Ok(scope) => scope,
            Err(error) => {
                return refused(name, args, Vec::new(), true, Rejection::new("invalid", error.to_string()));
            }
        };
        if !self.allows(who, &scope, Access::Write).await {
            return refused(name, args, Vec::new(), true, forbidden(&scope));
        }
        let own = vec![scope.clone()];
        let most = self.inner.limits.args_bytes;
        if args.get().len() > most {
            let message = format!("the arguments of a mutation have at most {most} bytes, not {}", args.get().len());
            return refused(name, args, own, false, Rejection::new("too_large", message));
        }
        let registered = match check_mutation(&name) {
            Ok(()) => self.inner.mutator(&name),
            Err(error) => Err(Rejection::new("invalid", error.to_string())),
        };
        let registered = match registered {
            Ok(registered) => registered,
            Err(rejection) => return refused(name, args, own, false, rejection),
        };
        let mut scopes = own;
        if let Some(declared) = &registered.scopes {
            match scopes_of(declared, &args) {
                Ok(declared) => {
                    for scope in declared {
                        if !scopes.contains(&scope) {
                            scopes.push(scope);
                        }
                    }
                }
                Err(rejection) => return refused(name, args, scopes, false, rejection),
            }
            for scope in &scopes[1..] {
                if !self.allows(who, scope, Access::Write).await {
                    // The refusal is acknowledged where the person may read it.
                    let rejection = forbidden(scope);
                    return refused(name, args, scopes[..1].to_vec(), false, rejection);
                }
            }
        }
        Job { seq, name, scopes, args, hash, run: Ok(registered.run.clone()), private: false }
    }

    /// Gives a push to the store, in a task of its own: whoever asked may go away.
    async fn write(&self, who: Who, sender: Sender, jobs: Vec<Job>) -> Result<Pushed, StoreError> {
        let limits = &self.inner.limits;
        let (limits, patience, clock) = (limits.tx, limits.mutator_time, self.inner.clock.clone());
        let work = Arc::new(Work { who, sender, jobs, limits, patience, clock });
        let engine = self.clone();
        let task = self.inner.tasks.spawn(async move {
            let Done { pushed, moved } = engine.inner.store.write(work).await?;
            engine.announce(&moved);
            Ok(pushed)
        });
        task.await.unwrap_or_else(|_| Err(StoreError::message("the store panicked")))
    }
}

/// What the app says which scopes a mutation touches.
fn scopes_of(declared: &Scopes, args: &RawValue) -> Result<Vec<Scope>, Rejection> {
    catch_unwind(AssertUnwindSafe(|| declared(args))).unwrap_or_else(|_| {
        let message = "the scopes of the mutation could not be told; this is a fault of the server";
        Err(Rejection::new("mutator_panicked", message))
    })
}

fn forbidden(scope: &Scope) -> Rejection {
    Rejection::new("scope_forbidden", format!("you may not write to {scope}"))
}

/// What tells one mutation's content from another's, however its JSON is laid out.
fn hash(name: &str, scope: &str, args: &RawValue) -> u64 {
    let mut hasher = Xxh3::new();
    for part in [name, scope] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    match serde_json::from_str::<Value>(args.get()) {
        Ok(args) => hasher.update(args.to_string().as_bytes()),
        // Too deep, or with characters that are none: it will be refused, and is told from others as it stands.
        Err(_) => hasher.update(args.get().as_bytes()),
    }
    hasher.digest() >> 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_the_same_however_it_is_laid_out() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let of = |args: &str| hash("a", "b", &raw(args));
        assert_eq!(of(r#"{"x":1,"y":[2]}"#), of(r#"{ "y": [2], "x": 1 }"#));
        assert_ne!(of(r#"{"x":1}"#), of(r#"{"x":2}"#));
        assert_ne!(hash("ab", "c", &raw("1")), hash("a", "bc", &raw("1")));
        assert_ne!(of(&"[".repeat(200).chars().chain("]".repeat(200).chars()).collect::<String>()), of("[]"));
    }
}
