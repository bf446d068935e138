//! Reading a posted form: urlencoded or multipart, within limits.

use std::time::Duration;

use axum::RequestExt;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{HeaderMap, StatusCode, header};

use super::fields::Fields;

/// Bounds of what a form may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FormLimits {
    /// Bytes of a posted form, 1 MiB by default.
    pub bytes: usize,
    /// Fields of a form, 1,000 by default.
    pub fields: usize,
    /// `data-lv-value-*` values of an event, 100 by default.
    pub values: usize,
    /// How long the browser may take to send a form, 30 seconds by default.
    pub time: Duration,
}

impl Default for FormLimits {
    fn default() -> Self {
        Self { bytes: 1 << 20, fields: 1_000, values: 100, time: Duration::from_secs(30) }
    }
}

/// Why a form was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum FormError {
    #[error("The form is larger than {0} bytes.")]
    TooLarge(usize),
    #[error("The form has more than {0} fields.")]
    TooManyFields(usize),
    #[error("A form is sent as application/x-www-form-urlencoded or multipart/form-data, not as {0:?}.")]
    ContentType(String),
    #[error("The form was sent too slowly.")]
    TooSlow,
    #[error("The form could not be read.")]
    Malformed,
}

impl FormError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge(_) | Self::TooManyFields(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ContentType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Malformed => StatusCode::BAD_REQUEST,
        }
    }
}

/// The fields of a posted form, in order. A file counts as a field with its name.
pub(crate) async fn read(headers: &HeaderMap, body: Body, limits: &FormLimits) -> Result<Fields, FormError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let bytes =
        tokio::time::timeout(limits.time, to_bytes(body, limits.bytes)).await.map_err(|_| FormError::TooSlow)?;
    let bytes = bytes.map_err(|_| FormError::TooLarge(limits.bytes))?;
    match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/x-www-form-urlencoded" => parse(&bytes, limits),
        "multipart/form-data" => multipart(kind, bytes, limits).await,
        _ => Err(FormError::ContentType(kind.to_owned())),
    }
}

/// Reads urlencoded bytes. Never panics, whatever they are.
pub(crate) fn parse(bytes: &[u8], limits: &FormLimits) -> Result<Fields, FormError> {
    let fields: Fields = form_urlencoded::parse(bytes).take(limits.fields + 1).collect();
    if fields.len() > limits.fields { Err(FormError::TooManyFields(limits.fields)) } else { Ok(fields) }
}

async fn multipart(kind: &str, bytes: Bytes, limits: &FormLimits) -> Result<Fields, FormError> {
    let request = Request::builder().header(header::CONTENT_TYPE, kind).body(Body::from(bytes));
    let request = request.map_err(|_| FormError::Malformed)?.with_limited_body();
    let mut parts = Multipart::from_request(request, &()).await.map_err(|_| FormError::Malformed)?;
    let mut fields = Fields::default();
    while let Some(part) = parts.next_field().await.map_err(|_| FormError::Malformed)? {
        if fields.len() == limits.fields {
            return Err(FormError::TooManyFields(limits.fields));
        }
        let name = part.name().unwrap_or_default().to_owned();
        let value = match part.file_name() {
            Some(file) => file.to_owned(),
            None => part.text().await.map_err(|_| FormError::Malformed)?,
        };
        fields.push(name, value);
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(kind: &str, body: &str, expected: Result<&[(&str, &str)], u16>) {
        let limits = FormLimits { bytes: 300, fields: 3, ..FormLimits::default() };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        let read = read(&headers, Body::from(body.to_owned()), &limits).await;
        let read =
            read.as_ref().map(|fields| fields.iter().collect::<Vec<_>>()).map_err(|error| error.status().as_u16());
        assert_eq!(read, expected.map(<[_]>::to_vec), "{kind} {body}");
    }

    #[tokio::test]
    async fn forms_are_read_in_order_and_within_limits() {
        let plain = "application/x-www-form-urlencoded";
        check(plain, "b=1&a=%C3%A9+x&b=2", Ok(&[("b", "1"), ("a", "é x"), ("b", "2")])).await;
        check("application/x-www-form-urlencoded; charset=UTF-8", "", Ok(&[])).await;
        check(plain, "%ff%zz&=&&", Ok(&[("\u{fffd}%zz", ""), ("", "")])).await;
        check(plain, "a&b&c&d", Err(413)).await;
        check(plain, &"x".repeat(301), Err(413)).await;
        check("application/json", "{}", Err(415)).await;
        let multi = "multipart/form-data; boundary=X";
        let body = "--X\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\na=b&c\r\n--X\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.png\"\r\n\r\n123\r\n--X--\r\n";
        check(multi, body, Ok(&[("t", "a=b&c"), ("f", "x.png")])).await;
        check(multi, "--X\r\nnonsense", Err(400)).await;
        check("multipart/form-data", body, Err(400)).await;
    }
}
