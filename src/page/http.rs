//! A page as an axum route: GET shows it, POST is an event without scripts, and a join is a request like these.

#![allow(
    clippy::result_large_err,
    reason = "a response is what a request ends in, early or late; it is not passed around"
)]

use std::any::{Any, TypeId};
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{OriginalUri, Request};
use axum::handler::Handler;
use axum::http::{HeaderValue, Method, StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use maud::html;

use super::app::Live;
use super::asked::Asked;
use super::cookie::{self, FLASH_COOKIE, SESSION_COOKIE};
use super::definition::Page;
use super::document::{Document, Offline};
use super::error::Error;
use super::event::Event;
use super::fields::Fields;
use super::form;
use super::fragments;
use super::join::{Answer, JoinRequest, Ready};
use super::park::{Claim, From, Held};
use super::record::Plan;
use super::runner::Inbound;
use super::seat::{Base, Panicked, Seat, told};
use super::token::{Generation, SessionId, Token};
use super::view::View;
use crate::edge::Who;
use crate::live::Verdict;

/// Makes a route of a page: GET and HEAD show it, POST takes its events without scripts, joins come through it as well.
///
/// Layers, extractors and the router's state work as for any other route, for all of them. The app it stands in must be served
/// through [`Live`].
///
/// A GET with the header `Mizu-Regions: todos, count` is answered with these regions alone, each in a `<template data-lv-region="todos">`, for a client that draws
/// parts of the page by itself. A region that is an element of its own, such as a row, comes with `data-lv-outer`. One that the page doesn't have is a 404.
///
/// # Example
///
/// ```
/// use mizu::prelude::*;
///
/// struct Hello;
///
/// impl Page for Hello {
///     type State = String;
///     type Message = ();
///     async fn mount(&self, _cx: &mut Ctx<Self>) -> Result<String> { Ok("world".into()) }
///     fn render(&self, view: &View<String>) -> Markup { html! { h1 { "Hello, " (view.as_str()) } } }
/// }
///
/// let app: Router = Router::new().route("/hello", mizu::page(Hello));
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # assert_eq!(mizu::testing::TestApp::new(app).connect("/hello").await.text("h1"), "Hello, world");
/// # });
/// ```
pub fn page<P: Page, S: Clone + Send + Sync + 'static>(page: P) -> MethodRouter<S> {
    let handler = PageHandler(Arc::new(page));
    get(handler.clone()).post(handler)
}

struct PageHandler<P>(Arc<P>);

impl<P> Clone for PageHandler<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P: Page, S: Clone + Send + Sync + 'static> Handler<(), S> for PageHandler<P> {
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, state: S) -> Self::Future {
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let Some(live) = parts.extensions.get::<Live>().cloned() else {
                tracing::error!(uri = %parts.uri, "a page was asked for in an app that is not served through Live; use Live::serve or Live::attach");
                return refusal(StatusCode::INTERNAL_SERVER_ERROR, "This page is not served through Mizu.");
            };
            let join = parts.extensions.remove::<JoinRequest>();
            let who = match live.identify(&mut parts).await {
                Ok(who) => who,
                Err(refused) => return refused,
            };
            let visit = Visit::new(live, self.0, who, parts, Box::new(state));
            match join {
                Some(join) => visit.join(join).await,
                None if visit.asked.parts.method == Method::POST => visit.post(body).await,
                None => visit.get().await,
            }
            .unwrap_or_else(|response| response)
        })
    }
}

/// One request for a page, by whoever it is.
struct Visit<P: Page> {
    live: Live,
    page: Arc<P>,
    claim: Claim,
    asked: Asked,
}

impl<P: Page> Visit<P> {
    fn new(live: Live, page: Arc<P>, who: Who, parts: Parts, state: Box<dyn Any + Send + Sync>) -> Self {
        // A nested router shortens the request's own address; the browser knows the whole one.
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
        let url = uri.path_and_query().map_or("/", |url| url.as_str());
        // Two slashes at the start would name another site where the address is redirected to.
        let url = format!("/{}", url.trim_start_matches(['/', '\\'])).into();
        let claim = Claim { who, url, page: TypeId::of::<P>() };
        Self { live, page, claim, asked: Asked { parts, state } }
    }

    /// The GET: the page as HTML. Its session waits in the park for scripts or a plain POST.
    async fn get(self) -> Result<Response, Response> {
        if let Some(names) = fragments::asked(&self.asked.parts.headers) {
            return self.fragments(&names).await;
        }
        let head = self.asked.parts.method == Method::HEAD;
        let live = self.live.clone();
        let headers = &self.asked.parts.headers;
        let returning = cookie::value(headers, SESSION_COOKIE).and_then(|token| live.signer().verify(token).ok());
        let flash = cookie::value(headers, FLASH_COOKIE).map(|text| cookie::read_flash(&live, text));
        let spent = [
            (SESSION_COOKIE, cookie::value(headers, SESSION_COOKIE)),
            (FLASH_COOKIE, cookie::value(headers, FLASH_COOKIE)),
        ];
        let spent: Vec<_> =
            spent.into_iter().filter(|(_, value)| value.is_some()).map(|(name, _)| cookie::expire(name)).collect();

        let taken = match returning {
            Some(token) => self.take(token.session, token.generation, From::Anyone, None).await,
            None => None,
        };
        let taken = taken.and_then(|(seat, held)| complete(seat, held, &Base::Nothing));
        // A mount has just rendered. Another rendering is due only for what came since.
        let render = taken.is_some() || flash.is_some();
        let (mut seat, held) = match taken {
            Some((mut seat, held)) => {
                seat.catch_up().await.map_err(panicked)?;
                (seat, held)
            }
            None => self.mount(None).await?,
        };
        if let Some(to) = seat.cx.take_redirect() {
            held.end(seat);
            return Err(see_other(&to));
        }
        if let Some(flash) = flash {
            flash.iter().for_each(|(kind, message)| seat.session.flash.push(kind, message));
        }
        if render {
            seat.render_whole().map_err(panicked)?;
        }
        let mut response = document(&seat, StatusCode::OK)?;
        for cookie in spent {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        if head {
            held.end(seat);
        } else {
            let generation = seat.generation;
            held.put_back(seat, generation);
        }
        Ok(response)
    }

    /// Some regions of the page as it is now, for whoever has it already. No session is left behind.
    async fn fragments(self, names: &[String]) -> Result<Response, Response> {
        let (mut seat, held) = self.mount(None).await?;
        let response = match seat.cx.take_redirect() {
            Some(to) => see_other(&to),
            None => fragments::answer(&seat.whole(), names),
        };
        held.end(seat);
        Ok(response)
    }

    /// The POST of a browser without scripts, or with a socket that is away: one event, then back to the page by GET.
    async fn post(self, body: Body) -> Result<Response, Response> {
        let verdict = self.live.origins().check(&self.asked.parts.headers);
        if verdict == Verdict::CrossSite {
            return Err(refusal(StatusCode::FORBIDDEN, "This form was sent from another site."));
        }
        let limits = self.live.settings().form;
        let mut fields = form::read(&self.asked.parts.headers, body, &limits)
            .await
            .map_err(|error| refusal(error.status(), &error.to_string()))?;
        let token = fields.take("lv-token").unwrap_or_default();
        let token = match (token.as_str(), verdict) {
            ("", Verdict::SameSite) => None,
            ("", _) => return Err(refusal(StatusCode::FORBIDDEN, "This form came without its page's token.")),
            (text, _) => Some(
                self.live.signer().verify(text).map_err(|error| refusal(StatusCode::FORBIDDEN, &error.to_string()))?,
            ),
        };
        let name = fields.take("lv").ok_or_else(|| refusal(StatusCode::BAD_REQUEST, "This form names no event."))?;
        let event =
            Event::from_parts(&name, None, Fields::default(), fields, None, Fields::from_iter([("type", "post")]));

        let live = self.live.clone();
        // The event is handled to its end even when the browser does not wait for the answer.
        let handled = live.shutdown().spawn(self.post_event(token, verdict, event));
        let going_away = || refusal(StatusCode::SERVICE_UNAVAILABLE, "The server is going away; try again.");
        handled.await.ok().flatten().unwrap_or_else(|| Err(going_away()))
    }

    async fn post_event(self, token: Option<Token>, verdict: Verdict, event: Event) -> Result<Response, Response> {
        let (live, url) = (self.live.clone(), self.claim.url.clone());
        let taken = match token {
            Some(token) => self.take(token.session, token.generation, From::Anyone, None).await,
            None => None,
        };
        let (mut seat, held) = match taken {
            Some((mut seat, held)) => {
                seat.catch_up().await.map_err(panicked)?;
                (seat, held)
            }
            // Without a word on where it comes from, only the session's own token shows that it comes from its page.
            None if verdict == Verdict::Unknown => {
                return Err(refusal(StatusCode::FORBIDDEN, "This page is no longer open here. Load it again."));
            }
            None => self.mount(None).await?,
        };
        let outcome = seat.handle(Box::new(event)).await.map_err(panicked)?;
        let redirect = seat.cx.take_redirect();
        let generation = seat.generation;
        match (redirect, outcome) {
            (Some(to), _) => {
                let mut response = see_other(&to);
                if let Some(flash) = cookie::of_flash(&live, &seat.session.flash) {
                    cookie::set(&mut response, FLASH_COOKIE, &flash);
                }
                held.end(seat);
                Ok(response)
            }
            // Its items are in a browser: without scripts that begins with the page anew.
            (None, _) if !seat.can_join(&Base::Nothing) => {
                let mut response = see_other(&url);
                if let Some(flash) = cookie::of_flash(&live, &seat.session.flash) {
                    cookie::set(&mut response, FLASH_COOKIE, &flash);
                }
                held.end(seat);
                Ok(response)
            }
            (None, Ok(())) => {
                let mut response = see_other(&url);
                cookie::set(&mut response, SESSION_COOKIE, &seat.resume_token());
                held.put_back(seat, generation);
                Ok(response)
            }
            (None, Err(error)) => {
                seat.render_whole().map_err(panicked)?;
                let response = document(&seat, error.status())?;
                held.put_back(seat, generation);
                Ok(response)
            }
        }
    }

    /// The join: hands a session to the door, as far as this request may have one.
    async fn join(self, request: JoinRequest) -> Result<Response, Response> {
        if let Some((id, inbox)) = request.current() {
            let refused = if !self.live.park().is_held_on(*id, request.connection(), &self.claim) {
                Some(Answer::Refused("not_a_page", "This address is another page; load it."))
            } else {
                let params = Inbound::Params(request.reference(), self.claim.url.clone(), Box::new(self.asked));
                inbox.put(params).err().map(|_| Answer::Refused("mailbox_full", "Too much happened at once."))
            };
            request.answer(refused.unwrap_or(Answer::Same));
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        // The page holds the rows of somebody who is not the one who asks now: nothing of both may be on one page.
        let user = request.join().params.0.get("user");
        if user.is_some_and(|user| user != self.claim.who.key()) {
            return Err(see_other(&self.claim.url));
        }
        if !self.live.admit_join(&self.claim.who) {
            return Err(StatusCode::TOO_MANY_REQUESTS.into_response());
        }
        let join = request.join();
        let unknown = request.connection().meta().get::<Verdict>() == Some(&Verdict::Unknown);
        if unknown && join.token.is_empty() && join.resume.is_none() {
            // A browser says where a script comes from. Who does not must have seen a page of ours.
            request.answer(Answer::Refused("bad_token", "Without an Origin header, a join needs its page's token."));
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        let verify = |text: &str| self.live.signer().verify(text);
        let (token, resume) = match (&join.resume, join.token.as_str()) {
            (Some(resume), _) => (verify(&resume.session), Some(resume.seen)),
            (None, "") => (
                Ok(Token {
                    session: SessionId::random(),
                    generation: Generation::default(),
                    shown: Default::default(),
                }),
                None,
            ),
            (None, text) => (verify(text), None),
        };
        let Ok(token) = token else {
            request.answer(Answer::Refused("bad_token", "The page's token was not made by this server."));
            return Ok(StatusCode::NO_CONTENT.into_response());
        };
        let from = if resume.is_some() { From::Anyone } else { From::Park };
        let taken = self.take(token.session, token.generation, from, Some(&request)).await;
        let taken = taken.and_then(|(seat, held)| {
            let base = resume.map_or_else(|| seat.base(token.shown.clone()), Base::Seen);
            let (seat, held) = complete(seat, held, &base)?;
            Some((seat, held, base))
        });
        let ready = match taken {
            Some((mut seat, held, base)) => {
                if resume.is_none() {
                    // A page that was loaded anew counts its events from the start.
                    seat.answered = Default::default();
                }
                Ready::new(seat, held, base, false, request.join())
            }
            None => {
                let (mut seat, held) = self.mount(Some(&request)).await?;
                if let Some(to) = seat.cx.take_redirect() {
                    held.end(seat);
                    return Err(see_other(&to));
                }
                let known = resume.is_none() && !token.shown.hashes().is_empty();
                let base = if known { Base::Token(token.shown) } else { Base::Nothing };
                Ready::new(seat, held, base, true, request.join())
            }
        };
        request.answer(Answer::Session(Box::new(ready)));
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    async fn take(
        &self,
        id: SessionId,
        generation: Generation,
        from: From,
        join: Option<&JoinRequest>,
    ) -> Option<(Box<Seat<P>>, Held)> {
        let connection = join.map(JoinRequest::connection);
        let (session, held) = self.live.park().take(id, generation, &self.claim, from, connection).await?;
        let seat = session.into_any().downcast::<Seat<P>>().ok()?;
        if seat.cx.mailbox().overflowed() {
            // It has missed something.
            held.end(seat);
            return None;
        }
        Some((seat, held))
    }

    async fn mount(self, join: Option<&JoinRequest>) -> Result<(Box<Seat<P>>, Held), Response> {
        let Self { live, page, claim, asked } = self;
        let mounted = Seat::mount(&live, page, claim, asked).await.map_err(panicked)?;
        let seat = mounted.map_err(|error| failed(&error, live.is_dev()))?;
        let connection = join.map(|join| join.connection().clone());
        let held = live.park().enter(seat.id(), seat.claim.clone(), connection);
        Ok((Box::new(seat), held))
    }
}

/// The session, if what it has streamed is not missing to a browser that shows this. Otherwise it is over.
fn complete<P: Page>(seat: Box<Seat<P>>, held: Held, base: &Base) -> Option<(Box<Seat<P>>, Held)> {
    if seat.can_join(base) {
        return Some((seat, held));
    }
    tracing::debug!(session = %seat.id(), "what was streamed is not known any more; the page is mounted anew");
    held.end(seat);
    None
}

/// The whole document of a session as it was rendered last.
fn document<P: Page>(seat: &Seat<P>, status: StatusCode) -> Result<Response, Response> {
    let (session, live) = (&seat.session, seat.cx.live());
    let plan = Plan::All(None);
    let view = View::new(&session.state, &session.flash, session.who(), &plan);
    let make = || {
        let head = seat.page.head(&view);
        let offline = live.offline(&seat.claim.url);
        let offline = offline.map(|paths| Offline { user: session.who().key(), paths: paths.join(" ") });
        let shown = seat.whole();
        let (title, page, token) = (seat.title().to_owned(), shown.html(), seat.page_token(&shown));
        seat.page.layout(Document { title, head, page, token, dev: live.is_dev(), offline }).into_string()
    };
    let html = std::panic::catch_unwind(std::panic::AssertUnwindSafe(make)).map_err(|_| panicked(Panicked))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        // The page is this visitor's alone, and going back asks anew.
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
    ];
    Ok((status, headers, html).into_response())
}

/// A failed mount, as a response.
fn failed(error: &Error, dev: bool) -> Response {
    if let Some(to) = error.location() {
        return see_other(to);
    }
    if error.status().is_server_error() {
        tracing::error!(?error, "a page could not be mounted");
    }
    let mut response = refusal(error.status(), &told(error, dev));
    if error.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

fn panicked(_: Panicked) -> Response {
    refusal(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side.")
}

/// A page of our own that says what is wrong.
pub(crate) fn refusal(status: StatusCode, message: &str) -> Response {
    let reason = status.canonical_reason().unwrap_or("Error");
    let page = html! {
        (maud::DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; meta name="viewport" content="width=device-width, initial-scale=1"; title { (reason) } }
            body { h1 { (reason) } p { (message) } p { a href="" { "Load the page again" } } }
        }
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    ];
    (status, headers, page.into_string()).into_response()
}

fn see_other(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
        Err(_) => {
            tracing::error!(to, "a redirect leads to what is no address");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side.")
        }
    }
}
