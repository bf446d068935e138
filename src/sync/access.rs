//! Who may do what with a scope.

use futures::future::BoxFuture;

use super::ids::Scope;
use crate::edge::{Identity, Who};

/// What somebody wants to do with a scope.
///
/// ```
/// assert_ne!(mizu::sync::Access::Read, mizu::sync::Access::Write);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Pull, take a snapshot, subscribe, watch.
    Read,
    /// Send mutations that touch it.
    Write,
}

/// Decides who may do what.
#[derive(Default)]
pub(crate) struct Gate {
    public: Vec<String>,
    asked: Asked,
}

#[derive(Default)]
enum Asked {
    /// Only the user's own scopes.
    #[default]
    Owner,
    Now(Box<Decide>),
    Later(Box<DecideLater>),
}

type Decide = dyn Fn(&Who, &Scope, Access) -> bool + Send + Sync;
type DecideLater = dyn Fn(Who, Scope, Access) -> BoxFuture<'static, bool> + Send + Sync;

impl Gate {
    pub(crate) fn open(&mut self, pattern: &str) {
        self.public.push(pattern.to_owned());
    }

    pub(crate) fn ask<I: Identity>(&mut self, decide: impl Fn(&I, &Scope, Access) -> bool + Send + Sync + 'static) {
        self.asked =
            Asked::Now(Box::new(move |who, scope, access| who.get().is_some_and(|who| decide(who, scope, access))));
    }

    pub(crate) fn ask_later<I, F>(&mut self, decide: impl Fn(I, Scope, Access) -> F + Send + Sync + 'static)
    where
        I: Identity,
        F: Future<Output = bool> + Send + 'static,
    {
        self.asked = Asked::Later(Box::new(move |who, scope, access| match who.get::<I>() {
            Some(who) => Box::pin(decide(who.clone(), scope, access)),
            None => Box::pin(async { false }),
        }));
    }

    pub(crate) async fn allows(&self, who: &Who, scope: &Scope, access: Access) -> bool {
        if who.is_server() || self.public.iter().any(|pattern| matches(pattern, scope.as_str())) {
            return true;
        }
        match &self.asked {
            Asked::Owner => scope.belongs_to(who),
            Asked::Now(decide) => decide(who, scope, access),
            Asked::Later(decide) => decide(who.clone(), scope.clone(), access).await,
        }
    }
}

/// A pattern is a name, or the beginning of names when it ends with `*`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}
