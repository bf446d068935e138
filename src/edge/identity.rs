//! Who is asking: one extractor for every way in.

use std::any::Any;
use std::convert::Infallible;
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

/// Whoever is asking, with the type of the app's [`Identity`] forgotten: a person, nobody in particular, or the server itself.
///
/// ```
/// use mizu::Who;
///
/// assert_eq!(Who::anybody().key(), "");
/// assert!(Who::server().is_server());
/// ```
#[derive(Clone)]
pub struct Who(Arc<dyn Known>);

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

/// Nobody in particular: the identity of an app that has none. Everybody is the same.
///
/// ```
/// use mizu::{Anybody, Who};
/// assert!(Who::new(Anybody).is_anybody());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anybody;

impl Identity for Anybody {
    fn key(&self) -> String {
        String::new()
    }
}

impl<S: Sync> FromRequestParts<S> for Anybody {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

/// The server's own code, which may do everything.
#[derive(Clone, PartialEq)]
struct Server;

impl Identity for Server {
    fn key(&self) -> String {
        String::new()
    }
}

impl Who {
    /// Nobody in particular.
    ///
    /// ```
    /// assert!(mizu::Who::anybody().is_anybody());
    /// ```
    pub fn anybody() -> Self {
        Self(Arc::new(Anybody))
    }

    /// The server's own code: no authoriser is asked. No request can be this.
    ///
    /// ```
    /// assert!(!mizu::Who::server().is_anybody());
    /// ```
    pub fn server() -> Self {
        Self(Arc::new(Server))
    }

    /// A person or an account of this app.
    ///
    /// ```
    /// # use mizu::{Identity, Who};
    /// #[derive(Clone, PartialEq)]
    /// struct User(String);
    /// impl Identity for User {
    ///     fn key(&self) -> String { self.0.clone() }
    /// }
    /// assert_eq!(Who::new(User("ada".into())).key(), "ada");
    /// ```
    pub fn new<I: Identity>(identity: I) -> Self {
        Self(Arc::new(identity))
    }

    /// Whether it is [nobody in particular](Anybody).
    ///
    /// ```
    /// assert!(!mizu::Who::server().is_anybody());
    /// ```
    pub fn is_anybody(&self) -> bool {
        self.get::<Anybody>().is_some()
    }

    /// Whether it is the server's own code.
    ///
    /// ```
    /// assert!(!mizu::Who::anybody().is_server());
    /// ```
    pub fn is_server(&self) -> bool {
        self.get::<Server>().is_some()
    }

    /// What [`Identity::key`] says; empty for nobody in particular and for the server.
    ///
    /// ```
    /// assert_eq!(mizu::Who::server().key(), "");
    /// ```
    pub fn key(&self) -> String {
        self.0.key()
    }

    /// The identity itself, where it is of this type.
    ///
    /// ```
    /// use mizu::{Anybody, Who};
    /// assert_eq!(Who::anybody().get::<Anybody>(), Some(&Anybody));
    /// ```
    pub fn get<I: Identity>(&self) -> Option<&I> {
        self.0.as_any().downcast_ref()
    }

    pub(crate) fn require<I: Identity>(&self) -> Result<&I, UserError> {
        self.get().ok_or(UserError { wanted: std::any::type_name::<I>() })
    }
}

impl<I: Identity> From<I> for Who {
    fn from(identity: I) -> Self {
        Self::new(identity)
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
