//! Regions of a page over plain HTTP: for whoever draws a page by itself and wants parts of it anew, say after a pull.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{PreEscaped, html};

use super::rendered::{Extent, Node, Part};

/// Names the regions that a GET wants, with commas between them.
const REGIONS: HeaderName = HeaderName::from_static("mizu-regions");

/// Regions that one request may name.
const MOST: usize = 64;

/// The regions that a GET asks for instead of the page.
pub(crate) fn asked(headers: &HeaderMap) -> Option<Vec<String>> {
    let mut names = headers.get_all(REGIONS).iter().peekable();
    names.peek()?;
    let names = names.filter_map(|names| names.to_str().ok()).flat_map(|names| names.split(','));
    Some(names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect())
}

/// The regions as they are now, each in a `<template data-lv-region=ID>`: what its element holds, or with `data-lv-outer` the element itself.
pub(crate) fn answer(page: &Node, names: &[String]) -> Response {
    let found: Result<Vec<_>, _> = names.iter().map(|name| page.find(name).ok_or(name)).collect();
    let (status, body) = match found {
        Ok(found) if (1..=MOST).contains(&found.len()) => {
            let template = |part: &Part<'_>| {
                html! {
                    template data-lv-region=(part.id) data-lv-outer[part.extent == Extent::Outer] { (PreEscaped(part.html())) }
                }
            };
            (StatusCode::OK, html! { @for part in &found { (template(part)) } })
        }
        Ok(_) => (StatusCode::BAD_REQUEST, html! { p { "Name 1 to " (MOST) " regions." } }),
        Err(name) => (StatusCode::NOT_FOUND, html! { p { "This page has no region " (name) "." } }),
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
        (header::VARY, HeaderValue::from_static("mizu-regions")),
    ];
    (status, headers, body.into_string()).into_response()
}
