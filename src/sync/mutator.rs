//! Named changes of rows, with typed arguments.

use std::marker::PhantomData;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::error::{Rejection, Result};
use super::ids::Scope;
use super::tx::Tx;

/// What does a mutation: an `async fn` over `&mut Tx` and typed arguments, or an async closure.
///
/// ```
/// use mizu::sync::{self, Engine, MemoryStore, Tx};
///
/// async fn set(tx: &mut Tx, value: i64) -> sync::Result {
///     tx.put_row("value", "v", &value).await
/// }
///
/// let engine = Engine::builder(MemoryStore::new())
///     .mutator("set", set)
///     .mutator("unset", async |tx: &mut Tx, _: ()| { tx.delete_row("value", "v").await.map(drop) })
///     .build();
/// # let _ = engine;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no mutator",
    note = "a mutator is an `async fn(&mut Tx, Args) -> sync::Result`, or an async closure with both types written out"
)]
pub trait Mutator<'a, Args>: Send + Sync {
    /// What it does.
    type Future: Future<Output = Result> + Send + 'a;

    /// Starts it.
    fn call(&self, tx: &'a mut Tx, args: Args) -> Self::Future;
}

impl<'a, F, Fut, Args> Mutator<'a, Args> for F
where
    F: Fn(&'a mut Tx, Args) -> Fut + Send + Sync,
    Fut: Future<Output = Result> + Send + 'a,
{
    type Future = Fut;

    fn call(&self, tx: &'a mut Tx, args: Args) -> Fut {
        self(tx, args)
    }
}

/// A mutator with its types forgotten.
pub(crate) trait Run: Send + Sync {
    fn run<'a>(&'a self, tx: &'a mut Tx, args: &'a RawValue) -> BoxFuture<'a, Result>;
}

pub(crate) struct Typed<F, Args>(F, PhantomData<fn(Args)>);

impl<F, Args> Typed<F, Args> {
    pub(crate) fn new(mutator: F) -> Self {
        Self(mutator, PhantomData)
    }
}

impl<F, Args> Run for Typed<F, Args>
where
    F: for<'a> Mutator<'a, Args>,
    Args: DeserializeOwned + Send,
{
    fn run<'a>(&'a self, tx: &'a mut Tx, args: &'a RawValue) -> BoxFuture<'a, Result> {
        match arguments(args) {
            Ok(args) => Box::pin(self.0.call(tx, args)),
            Err(rejection) => Box::pin(async { Err(rejection.into()) }),
        }
    }
}

/// Which scopes a mutation touches besides its own, by its arguments.
pub(crate) type Scopes = Box<dyn Fn(&RawValue) -> Result<Vec<Scope>, Rejection> + Send + Sync>;

/// Reads arguments; what is wrong names the field by its path.
pub(crate) fn arguments<T: DeserializeOwned>(args: &RawValue) -> Result<T, Rejection> {
    let mut json = serde_json::Deserializer::from_str(args.get());
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        let message = match path.as_str() {
            "." => format!("the arguments can't be read: {inner}"),
            path => format!("`{path}` can't be read: {inner}"),
        };
        Rejection::new("invalid", message)
    })
}
