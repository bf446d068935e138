//! Answers, and where errors become a status.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use serde_json::json;

use crate::sync::engine::PullError;
use crate::sync::error::{Rejection, StoreError};
use crate::sync::mutation::{ApplyError, Outcome, PushError, Pushed};

/// When to come again after something temporary.
pub(super) const LATER: Duration = Duration::from_secs(1);

/// An error on its way out.
pub(super) struct Refusal {
    status: StatusCode,
    code: String,
    error: String,
    retry: Option<Duration>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: impl Into<String>, error: impl Into<String>) -> Self {
        Self { status, code: code.into(), error: error.into(), retry: None }
    }

    pub(super) fn invalid(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", error)
    }

    pub(super) fn retry(mut self, after: Duration) -> Self {
        self.retry = Some(after);
        self
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "try again later").retry(LATER)
    }
}

impl From<PullError> for Refusal {
    fn from(error: PullError) -> Self {
        let (status, code) = match error {
            PullError::Forbidden(_) => (StatusCode::FORBIDDEN, "scope_forbidden"),
            PullError::ClientForeign => (StatusCode::FORBIDDEN, "client_foreign"),
            PullError::CursorTooOld => (StatusCode::CONFLICT, "cursor_too_old"),
            PullError::EpochChanged => (StatusCode::CONFLICT, "epoch_changed"),
            PullError::NoPage => (StatusCode::BAD_REQUEST, "invalid"),
            PullError::Store(error) => return error.into(),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<PushError> for Refusal {
    fn from(error: PushError) -> Self {
        let (status, code) = match error {
            PushError::Gap { .. } => (StatusCode::CONFLICT, "gap"),
            PushError::ClientUnknown => (StatusCode::CONFLICT, "client_unknown"),
            PushError::SeqReused { .. } => (StatusCode::CONFLICT, "seq_reused"),
            PushError::ClientForeign => (StatusCode::FORBIDDEN, "client_foreign"),
            PushError::OtherUser => (StatusCode::UNAUTHORIZED, "other_user"),
            PushError::TooMany { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            PushError::Unavailable(error) => {
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error).retry(LATER);
            }
            PushError::Store(error) => return error.into(),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        let status = match rejection.code() {
            "exists" => StatusCode::CONFLICT,
            "not_found" => StatusCode::NOT_FOUND,
            "scope_forbidden" => StatusCode::FORBIDDEN,
            "too_large" => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, rejection.code(), rejection.message())
    }
}

impl From<ApplyError> for Refusal {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Rejected(rejection) => rejection.into(),
            ApplyError::KeyReused(_) => {
                Self::new(StatusCode::CONFLICT, "key_reused", "this Idempotency-Key was used for another request")
            }
            ApplyError::Unavailable(error) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error).retry(LATER)
            }
            ApplyError::Store(error) => error.into(),
        }
    }
}

/// An answer that no cache keeps.
pub(super) fn answer<T: Serialize + ?Sized>(status: StatusCode, body: &T) -> Response {
    let (status, body) = match serde_json::to_vec(body) {
        Ok(body) => (status, body),
        Err(error) => {
            tracing::error!(%error, "an answer has no form in JSON");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                br#"{"code":"internal","error":"the answer could not be written"}"#.to_vec(),
            )
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// An error.
pub(super) fn refuse(refusal: impl Into<Refusal>) -> Response {
    let refusal = refusal.into();
    let body = json!({ "code": refusal.code, "error": refusal.error });
    with_retry(answer(refusal.status, &body), refusal.retry)
}

/// What a push came to.
pub(super) fn pushed(Pushed { results, stop }: Pushed) -> Response {
    #[derive(Serialize)]
    struct Answer<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        expected: Option<u64>,
        results: &'a [Outcome],
    }
    let expected = match &stop {
        Some(PushError::Gap { expected }) => Some(expected.get()),
        _ => None,
    };
    let Some(refusal) = stop.map(Refusal::from) else {
        return answer(StatusCode::OK, &Answer { code: None, error: None, expected, results: &results });
    };
    let Refusal { status, code, error, retry } = refusal;
    let body = Answer { code: Some(code), error: Some(error), expected, results: &results };
    with_retry(answer(status, &body), retry)
}

fn with_retry(mut response: Response, retry: Option<Duration>) -> Response {
    if let Some(retry) = retry {
        let seconds = retry.as_secs() + u64::from(retry.subsec_nanos() > 0);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    response
}
