//! Who is asking: one extractor for every way in.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

/// Who a request comes from, as the app's own extractor says.
///
/// Given to [`LiveBuilder::identity`](crate::LiveBuilder::identity), it runs for every GET, POST, join and resume. A session
/// belongs to the identity it was mounted for; only an equal one adopts it.
///
/// # Example
///
/// ```
/// use axum::{extract::FromRequestParts, http::{StatusCode, request::Parts}};
/// use mizu::{Identity, Live};
///
/// #[derive(Clone, PartialEq)]
/// struct User(String);
///
/// impl Identity for User {
///     fn key(&self) -> String { self.0.clone() }
/// }
///
/// impl<S: Sync> FromRequestParts<S> for User {
///     type Rejection = StatusCode;
///     async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
///         let name = parts.headers.get("x-user").and_then(|name| name.to_str().ok());
///         name.map(|name| User(name.to_owned())).ok_or(StatusCode::UNAUTHORIZED)
///     }
/// }
///
/// let live = Live::builder().identity::<User>().build();
/// # let _ = live;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an identity",
    note = "implement `mizu::Identity` (one method, `key`) and axum's `FromRequestParts` for it"
)]
pub trait Identity: Clone + PartialEq + Send + Sync + 'static {
    /// What names this person or account for limits and for [`Live::disconnect`](crate::Live::disconnect): two identities of
    /// the same key are the same person, even where they differ (in their roles, say).
    fn key(&self) -> String;
}

/// An [`Identity`] whose type is forgotten, so that sessions of any app can be kept together.
#[derive(Clone)]
pub(crate) struct Who(Arc<dyn Known>);

trait Known: Send + Sync + 'static {
    fn key(&self) -> String;
    fn same(&self, other: &dyn Any) -> bool;
    fn as_any(&self) -> &dyn Any;
}

impl<I: Identity> Known for I {
    fn key(&self) -> String {
        Identity::key(self)
    }

    fn same(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<I>().is_some_and(|other| self == other)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The identity of an app that configured none: everybody is the same.
#[derive(Clone, PartialEq)]
struct Anybody;

impl Identity for Anybody {
    fn key(&self) -> String {
        String::new()
    }
}

impl Who {
    pub(crate) fn anybody() -> Self {
        Self(Arc::new(Anybody))
    }

    pub(crate) fn new<I: Identity>(identity: I) -> Self {
        Self(Arc::new(identity))
    }

    pub(crate) fn is_anybody(&self) -> bool {
        self.get::<Anybody>().is_some()
    }

    pub(crate) fn key(&self) -> String {
        self.0.key()
    }

    pub(crate) fn get<I: Identity>(&self) -> Option<&I> {
        self.0.as_any().downcast_ref()
    }

    pub(crate) fn require<I: Identity>(&self) -> Result<&I, UserError> {
        self.get().ok_or(UserError { wanted: std::any::type_name::<I>() })
    }
}

impl PartialEq for Who {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.same(other.0.as_any())
    }
}

impl fmt::Debug for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Who({:?})", self.key())
    }
}

/// The page asked for an identity of a type that the app did not configure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this app's identity is not {wanted}; configure it with Live::builder().identity::<{wanted}>()")]
pub struct UserError {
    wanted: &'static str,
}

/// The app's extractor with its types forgotten.
pub(crate) type Extract =
    Arc<dyn Fn(&mut Parts) -> Pin<Box<dyn Future<Output = Result<Who, Response>> + Send + '_>> + Send + Sync>;

pub(crate) fn extractor<I, S>(state: S) -> Extract
where
    I: Identity + FromRequestParts<S>,
    S: Send + Sync + 'static,
{
    let state = Arc::new(state);
    Arc::new(move |parts| {
        let state = state.clone();
        Box::pin(async move {
            let identity = I::from_request_parts(parts, &state).await.map_err(IntoResponse::into_response)?;
            Ok(Who::new(identity))
        })
    })
}
