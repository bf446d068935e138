//! The two one-shot cookies of pages without scripts: which session the next GET shows, and what it says.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use super::app::Live;
use super::flash::Flash;

/// The one-shot cookie that leads the GET after a plain POST to the session that was posted to.
pub(crate) const SESSION_COOKIE: &str = "lv-session";

/// The one-shot cookie that carries flash messages to another page.
pub(crate) const FLASH_COOKIE: &str = "lv-flash";

/// The value of a request's cookie.
pub(crate) fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs =
        headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

pub(crate) fn set(response: &mut Response, name: &str, value: &str) {
    // A minute is enough for the GET that follows, which takes it away.
    let cookie = format!("{name}={value}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

pub(crate) fn expire(name: &str) -> HeaderValue {
    let text = format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// Flash messages as a cookie's value; nothing when there is none, or too much for a cookie.
pub(crate) fn of_flash(live: &Live, flash: &Flash) -> Option<String> {
    if flash.is_empty() {
        return None;
    }
    let signed = live.signer().sign_text(&serde_json::to_string(flash).ok()?);
    (signed.len() <= 3_000).then_some(signed)
}

pub(crate) fn read_flash(live: &Live, text: &str) -> Flash {
    let text = live.signer().verify_text(text).ok();
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}
