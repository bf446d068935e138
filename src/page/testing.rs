//! Drives pages in memory, by CSS selectors: no browser, no port, no sleeping.
//!
//! ```
//! use mizu::prelude::*;
//! use mizu::testing::TestApp;
//!
//! # struct Counter;
//! # impl Page for Counter {
//! #     type State = i64;
//! #     type Message = ();
//! #     async fn mount(&self, _: &mut Ctx<Self>) -> Result<i64> { Ok(0) }
//! #     fn render(&self, view: &View<i64>) -> Markup {
//! #         html! { button id="inc" data-lv-click="inc" { "+" } (view.region("count", || html! { (**view) })) }
//! #     }
//! #     async fn handle(&self, _: &mut Ctx<Self>, s: &mut Session<i64>, _: Event) -> Result { s.state += 1; Ok(()) }
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let app = TestApp::new(Router::new().route("/counter", mizu::page(Counter)));
//! let mut page = app.open("/counter").await;
//! page.click("#inc").await;
//! assert_eq!(page.text("#count"), "1");
//! # }
//! ```
//!
//! After every step the page compares what its patches made with a fresh rendering, and panics where they differ: a region that was
//! changed and not marked fails the test that changes it.

use std::collections::VecDeque;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use maud::Markup;
use rmpv::Value;
use scraper::{ElementRef, Html, Selector};
use tower::ServiceExt;

use super::app::Live;
use super::attach::LiveApp;
use super::fields::Fields;
use super::flash::Flash;
use super::identity::Who;
use super::rendered::ROOT;
use super::view::{Plan, View};
use super::wire::Seq;
use crate::live::{CloseCode, Kind, MemoryClient, Message, Ref, Topic};

/// How long a test waits for the server before it fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// Renders a state once, as [`Page::render`](crate::Page::render) would: to test a render function on its own.
///
/// ```
/// use mizu::prelude::*;
///
/// let html = mizu::testing::render_once(&7, |view: &View<i32>| html! { p { (**view) } });
/// assert_eq!(html, "<p>7</p>");
/// ```
pub fn render_once<S>(state: &S, render: impl FnOnce(&View<S>) -> Markup) -> String {
    let (flash, who) = (Flash::default(), Who::anybody());
    let view = View::new(state, &flash, &who, Plan::All(None), Seq::default()).without_flash();
    view.record(render).html()
}

/// An app under test.
#[derive(Clone, Debug)]
pub struct TestApp {
    app: LiveApp,
    headers: HeaderMap,
}

impl TestApp {
    /// An app with a server of its own, in development mode.
    pub fn new(app: Router) -> Self {
        Self::attached(Live::builder().dev(true).secret("test").build().attach(app))
    }

    /// An app attached as it is in production.
    ///
    /// ```
    /// use mizu::{Live, testing::TestApp};
    ///
    /// let app = TestApp::attached(Live::new().attach(axum::Router::new()));
    /// # let _ = app;
    /// ```
    pub fn attached(app: LiveApp) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("test"));
        headers.insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
        Self { app, headers }
    }

    /// The same app, with this header on every request: a cookie, a user.
    ///
    /// # Panics
    ///
    /// When it is no header.
    ///
    /// ```
    /// # use mizu::testing::TestApp;
    /// let ann = TestApp::new(axum::Router::new()).with_header("x-user", "ann");
    /// # let _ = ann;
    /// ```
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().expect("a header's value"));
        self
    }

    /// The server behind the app: to publish from a test.
    ///
    /// ```
    /// # let app = mizu::testing::TestApp::new(axum::Router::new());
    /// assert_eq!(app.live().joined(), 0);
    /// ```
    pub fn live(&self) -> &Live {
        self.app.live()
    }

    fn request(&self, method: &str, path: &str, body: Body) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(path).body(body).expect("a path");
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// Sends any request with this app's headers.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let app = mizu::testing::TestApp::new(axum::Router::new());
    /// let request = axum::http::Request::get("/nowhere").body(axum::body::Body::empty()).unwrap();
    /// assert_eq!(app.send(request).await.status(), 404);
    /// # }
    /// ```
    pub async fn send(&self, mut request: Request<Body>) -> TestResponse {
        for (name, value) in &self.headers {
            if !request.headers().contains_key(name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        let Ok(response) = self.app.clone().oneshot(request).await;
        TestResponse::read(response).await
    }

    /// Fetches a page as a browser without scripts does.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let app = mizu::testing::TestApp::new(axum::Router::new());
    /// assert_eq!(app.get("/nowhere").await.status(), 404);
    /// # }
    /// ```
    pub async fn get(&self, path: &str) -> TestResponse {
        self.send(self.request("GET", path, Body::empty())).await
    }

    /// Posts a form as a browser without scripts does, and follows the redirect back to the page.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let app = mizu::testing::TestApp::new(axum::Router::new());
    /// assert_eq!(app.post("/nowhere", [("lv", "save")]).await.status(), 404);
    /// # }
    /// ```
    pub async fn post<'a>(&self, path: &str, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> TestResponse {
        let body = fields.into_iter().collect::<Fields>().encode();
        let mut request = self.request("POST", path, Body::from(body));
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form);
        let response = self.send(request).await;
        let Some(to) = response.header("location").filter(|_| response.status() == StatusCode::SEE_OTHER) else {
            return response;
        };
        let mut request = self.request("GET", to, Body::empty());
        let cookies: Vec<_> = response.cookies().collect();
        if let Ok(cookies) = HeaderValue::from_str(&cookies.join("; ")) {
            request.headers_mut().insert(header::COOKIE, cookies);
        }
        self.send(request).await
    }

    /// Fetches a page and joins it, as a browser with scripts does.
    ///
    /// # Panics
    ///
    /// When the GET is not answered with a page, or the join is refused.
    pub async fn open(&self, path: &str) -> TestPage {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "GET {path}: {}", response.body());
        TestPage::join(self.clone(), path, &response).await
    }

    fn handshake(&self) -> Parts {
        self.request("GET", "/_live", Body::empty()).into_parts().0
    }
}

/// What the server answered.
#[derive(Debug)]
pub struct TestResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl TestResponse {
    async fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("a response's body can be read");
        Self { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The body as text.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The cookies it sets, as `name=value`.
    pub fn cookies(&self) -> impl Iterator<Item = &str> {
        let lines = self.headers.get_all(header::SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
        lines.filter_map(|line| line.split(';').next()).filter(|pair| !pair.ends_with('='))
    }

    /// The text of the first element a CSS selector finds, its white space folded.
    ///
    /// # Panics
    ///
    /// When it finds none.
    pub fn text(&self, selector: &str) -> String {
        text(&Html::parse_document(&self.body), selector)
    }

    /// An attribute of the first element a CSS selector finds.
    pub fn attribute(&self, selector: &str, name: &str) -> Option<String> {
        let document = Html::parse_document(&self.body);
        let element = document.root_element().select(&parse(selector)).next()?;
        element.attr(name).map(str::to_owned)
    }

    /// The page's token, for a plain POST.
    ///
    /// # Panics
    ///
    /// When it is no page.
    pub fn token(&self) -> String {
        self.attribute("#lv input[name=lv-token]", "value").expect("the document of a page has a token")
    }
}

/// A page that is open and joined.
pub struct TestPage {
    app: TestApp,
    client: MemoryClient,
    topic: Topic,
    document: Html,
    path: String,
    title: String,
    next_ref: u32,
    redirected: Option<String>,
    refused: Option<(String, String)>,
    notes: VecDeque<String>,
    patches: usize,
    session: String,
    seq: u64,
}

impl TestPage {
    async fn join(app: TestApp, path: &str, response: &TestResponse) -> Self {
        let document = Html::parse_document(response.body());
        let token = response.token();
        let title = document
            .root_element()
            .select(&parse("title"))
            .next()
            .map(|title| title.text().collect())
            .unwrap_or_default();
        let client = app.app.connect_in_memory(app.handshake()).await;
        let client = client.unwrap_or_else(|refused| panic!("the connection was refused: {}", refused.status()));
        let mut page = Self {
            app,
            client,
            topic: Topic::connection(),
            document,
            path: path.to_owned(),
            title,
            next_ref: 0,
            redirected: None,
            refused: None,
            notes: VecDeque::new(),
            patches: 0,
            session: String::new(),
            seq: 0,
        };
        // The runtime takes out what is there for browsers without scripts.
        page.remove("[data-lv-plain]");
        page.send_join(Value::Array(vec![token.into(), path.into(), Value::Map(vec![])])).await;
        page
    }

    async fn send_join(&mut self, body: Value) {
        let reference = self.send(Kind::JOIN, Topic::connection(), &body).await;
        let reply = self.answer(reference).await;
        let payload = reply.get(2).and_then(Value::as_array).cloned();
        let payload = payload.unwrap_or_else(|| panic!("the join of {} was refused: {:?}", self.path, self.refused));
        let text = |at: usize| payload.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        (self.session, self.seq) = (text(1), payload.get(2).and_then(Value::as_u64).unwrap_or_default());
        self.topic = Topic::new(text(0)).expect("a join's answer names a topic");
        self.send(Kind::ACK, self.topic.clone(), &Value::Array(vec![])).await;
        self.check().await;
    }

    /// Drops the socket and resumes the session over a new one, as a browser does after a moment without network.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub async fn reconnect(&mut self) {
        self.reconnect_after(async {}).await;
    }

    /// Drops the socket, lets something happen, and then resumes the session over a new one.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub async fn reconnect_after(&mut self, meanwhile: impl Future<Output = ()>) {
        let joined = self.app.live().joined();
        if !self.client.connection().is_closed() {
            self.client.connection().close(CloseCode::GOING_AWAY, "the test drops its socket");
            let parked = async {
                while self.app.live().joined() >= joined {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(PATIENCE, parked).await.expect("the session was not parked in time");
        }
        meanwhile.await;
        let client = self.app.app.connect_in_memory(self.app.handshake()).await;
        self.client = client.unwrap_or_else(|refused| panic!("the connection was refused: {}", refused.status()));
        let resume = Value::Array(vec![self.session.as_str().into(), self.seq.into()]);
        let path = self.path.as_str().into();
        self.send_join(Value::Array(vec!["".into(), path, Value::Map(vec![]), resume])).await;
    }

    async fn send(&mut self, kind: Kind, topic: Topic, body: &Value) -> Ref {
        let reference = if kind == Kind::ACK { Ref::PUSH } else { self.next_reference() };
        let body = self.client.format().to_bytes(body).expect("a test's frame can be encoded");
        self.client
            .send(Message::new(kind, topic, reference, body))
            .await
            .expect("the server has closed the connection");
        reference
    }

    fn next_reference(&mut self) -> Ref {
        self.next_ref += 1;
        Ref::new(self.next_ref)
    }

    /// Takes frames in until this one is answered; gives the reply's parts, or nothing where it was refused.
    async fn answer(&mut self, reference: Ref) -> Vec<Value> {
        loop {
            let message = self.receive().await;
            let (kind, at) = (message.kind, message.reference);
            let body = self.take(message);
            if at == reference && matches!(kind, Kind::REPLY | Kind::ERROR | Kind::REDIRECT) {
                return if kind == Kind::REPLY { body } else { Vec::new() };
            }
        }
    }

    async fn receive(&mut self) -> Message {
        let message = tokio::time::timeout(PATIENCE, self.client.receive()).await;
        let message = message.expect("the server did not answer in time");
        message.unwrap_or_else(|| panic!("the server closed the connection: {:?}", self.client.close_code()))
    }

    fn take(&mut self, message: Message) -> Vec<Value> {
        let body: Value = self
            .client
            .format()
            .from_slice(&message.body)
            .unwrap_or_else(|error| panic!("{error} {:?} {:?}", message.kind, message.body));
        let body = body.as_array().cloned().unwrap_or_default();
        let text = |at: usize| body.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        match message.kind {
            Kind::REPLY => {
                if let Some(patch) = body.get(1).and_then(Value::as_array) {
                    self.apply(patch);
                }
                if body.first().and_then(Value::as_u64) == Some(1) {
                    let error = body.get(2).and_then(Value::as_array).cloned().unwrap_or_default();
                    let text = |at: usize| error.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
                    self.refused = Some((text(0), text(1)));
                }
            }
            Kind::PATCH => self.apply(&body),
            Kind::ERROR => self.refused = Some((text(0), text(1))),
            Kind::REDIRECT => self.redirected = Some(text(0)),
            _ => {}
        }
        body
    }

    fn apply(&mut self, patch: &[Value]) {
        self.patches += 1;
        self.seq = patch.first().and_then(Value::as_u64).unwrap_or(self.seq);
        let list = |at: usize| patch.get(at).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for region in list(1) {
            let part = |at: usize| region.as_array().and_then(|region| region.get(at));
            let text = |at: usize| part(at).and_then(Value::as_str).unwrap_or_default();
            replace(&mut self.document, text(0), part(1).and_then(Value::as_u64) == Some(1), text(2));
        }
        if let Some(title) = patch.get(2).and_then(Value::as_str) {
            self.title = title.to_owned();
        }
        for command in list(3) {
            let command = command.as_array().map_or(&[][..], Vec::as_slice);
            if command.first().and_then(Value::as_str) == Some("debug") {
                self.notes.extend(command.get(1).and_then(Value::as_str).map(str::to_owned));
            }
        }
    }

    /// Compares the patched document with a fresh rendering.
    async fn check(&mut self) {
        if self.redirected.is_some() {
            return;
        }
        let mut patched = String::new();
        let regions = Value::Array(vec![Value::Array(vec![ROOT.into()])]);
        let patches = self.patches;
        self.send(Kind::RESYNC, self.topic.clone(), &regions).await;
        let mut compared = false;
        while !compared {
            let message = self.receive().await;
            if message.kind == Kind::PATCH && is_whole(&self.client, &message) {
                // What the server had to say before is applied by now.
                (patched, compared) = (self.html(), true);
            }
            self.take(message);
        }
        let fresh = self.html();
        assert!(
            patched == fresh,
            "the patched page is not what a fresh rendering gives; was a region changed and not marked?\n{}\n\
             patched: {patched}\n  fresh: {fresh}",
            self.notes.iter().map(String::as_str).collect::<Vec<_>>().join("\n"),
        );
        self.patches = patches;
    }

    fn remove(&mut self, selector: &str) {
        let found: Vec<_> = self.document.root_element().select(&parse(selector)).map(|element| element.id()).collect();
        for id in found {
            if let Some(mut node) = self.document.tree.get_mut(id) {
                node.detach();
            }
        }
    }

    fn find(&self, selector: &str) -> ElementRef<'_> {
        let found = self.document.root_element().select(&parse(selector)).next();
        found.unwrap_or_else(|| panic!("nothing on {} fits {selector:?}:\n{}", self.path, self.html()))
    }

    /// Clicks the first element a CSS selector finds: one with `data-lv-click`, a button of the form `lv`, the button of a form with
    /// `data-lv-submit`, or a link with `data-lv-patch`.
    ///
    /// # Panics
    ///
    /// When it finds none, or clicking it does nothing.
    pub async fn click(&mut self, selector: &str) {
        let element = self.find(selector);
        let values = values(element);
        let form = element.ancestors().filter_map(ElementRef::wrap).find(|above| above.value().name() == "form");
        let own = |name| element.attr(name).map(str::to_owned);
        if let (Some(_), Some(to)) = (own("data-lv-patch"), own("href")) {
            return self.patch(&to).await;
        }
        if let Some(name) = own("data-lv-click") {
            return self.event(&name, values, Fields::default(), "click").await;
        }
        if let (Some("lv"), Some("lv"), Some(name)) = (element.attr("form"), element.attr("name"), own("value")) {
            return self.event(&name, values, Fields::default(), "click").await;
        }
        match form.and_then(|form| Some((form.attr("data-lv-submit")?.to_owned(), fields(form, Some(element))))) {
            Some((name, fields)) => self.event(&name, values, fields, "submit").await,
            None => panic!("a click on {selector:?} does nothing: {}", element.html()),
        }
    }

    /// Shows the page under another query, as a link with `data-lv-patch` does.
    ///
    /// # Panics
    ///
    /// When the server does not answer in time.
    pub async fn patch(&mut self, url: &str) {
        let url = if url.starts_with('?') {
            format!("{}{url}", self.path.split('?').next().unwrap_or_default())
        } else {
            url.to_owned()
        };
        self.refused = None;
        let body = Value::Array(vec!["".into(), url.as_str().into(), Value::Map(vec![])]);
        let reference = self.send(Kind::JOIN, self.topic.clone(), &body).await;
        self.answer(reference).await;
        if self.refused.is_none() && self.redirected.is_none() {
            self.path = url;
        }
        self.check().await;
    }

    /// The path and query the page is shown under.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Submits the first form a CSS selector finds, with these fields in place of what it holds.
    ///
    /// # Panics
    ///
    /// When it finds none, or none with `data-lv-submit`.
    pub async fn submit<'a>(&mut self, selector: &str, typed: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.form_event(selector, "data-lv-submit", "submit", typed).await;
    }

    /// Changes fields of the first form (or field) with `data-lv-change` that a CSS selector finds.
    ///
    /// # Panics
    ///
    /// When it finds none, or it has no `data-lv-change`.
    pub async fn change<'a>(&mut self, selector: &str, typed: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.form_event(selector, "data-lv-change", "change", typed).await;
    }

    async fn form_event<'a>(
        &mut self,
        selector: &str,
        attribute: &str,
        kind: &str,
        typed: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) {
        let form = self.find(selector);
        let name = form.attr(attribute).map(str::to_owned);
        let name = name.unwrap_or_else(|| panic!("{selector:?} has no {attribute}: {}", form.html()));
        let (values, mut fields) = (values(form), fields(form, None));
        let typed: Vec<_> = typed.into_iter().collect();
        typed.iter().for_each(|(name, _)| drop(fields.take(name)));
        typed.iter().for_each(|(name, value)| fields.push(*name, *value));
        self.event(&name, values, fields, kind).await;
    }

    /// Sends an event by its text, as an attribute would hold it (`"inc?by=1"`).
    ///
    /// # Panics
    ///
    /// When the server does not answer in time.
    pub async fn send_event(&mut self, text: &str) {
        self.event(text, Fields::default(), Fields::default(), "click").await;
    }

    async fn event(&mut self, name: &str, values: Fields, form: Fields, kind: &str) {
        let pair = |(name, value): (&str, &str)| Value::Array(vec![name.into(), value.into()]);
        let pairs = |fields: &Fields| Value::Array(fields.iter().map(pair).collect());
        let meta = Value::Map(vec![("type".into(), kind.into())]);
        let body = vec![name.into(), Value::Nil, pairs(&values), pairs(&form), Value::Nil, meta];
        self.refused = None;
        let reference = self.send(Kind::EVENT, self.topic.clone(), &Value::Array(body)).await;
        self.answer(reference).await;
        if !matches!(&self.refused, Some((code, _)) if code == "panicked") {
            self.check().await;
        }
    }

    /// Waits until the page shows what is expected, taking in what the server pushes.
    ///
    /// # Panics
    ///
    /// When it does not within ten seconds.
    pub async fn until(&mut self, mut expected: impl FnMut(&Self) -> bool) {
        while !expected(self) {
            let message = self.receive().await;
            self.take(message);
        }
        self.check().await;
    }

    /// Waits until the server closes the connection; gives the code it closed with.
    ///
    /// # Panics
    ///
    /// When it does not within ten seconds.
    pub async fn until_closed(&mut self) -> CloseCode {
        let closed = async { while self.client.receive().await.is_some() {} };
        tokio::time::timeout(PATIENCE, closed).await.expect("the server did not close the connection in time");
        self.client.close_code().unwrap_or(CloseCode::GOING_AWAY)
    }

    /// What is in the page's root element.
    pub fn html(&self) -> String {
        self.find("#lv-root").inner_html()
    }

    /// The text of the first element a CSS selector finds, its white space folded.
    ///
    /// # Panics
    ///
    /// When it finds none.
    pub fn text(&self, selector: &str) -> String {
        text(&self.document, selector)
    }

    /// Whether a CSS selector finds anything.
    pub fn has(&self, selector: &str) -> bool {
        self.document.root_element().select(&parse(selector)).next().is_some()
    }

    /// How many elements a CSS selector finds.
    pub fn count(&self, selector: &str) -> usize {
        self.document.root_element().select(&parse(selector)).count()
    }

    /// An attribute of the first element a CSS selector finds.
    ///
    /// # Panics
    ///
    /// When it finds none.
    pub fn attribute(&self, selector: &str, name: &str) -> Option<String> {
        self.find(selector).attr(name).map(str::to_owned)
    }

    /// The document's title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Where the server sent the browser, if it did.
    pub fn redirected(&self) -> Option<&str> {
        self.redirected.as_deref()
    }

    /// The code and message of the last event's refusal, if it was refused.
    pub fn refused(&self) -> Option<(&str, &str)> {
        self.refused.as_ref().map(|(code, message)| (code.as_str(), message.as_str()))
    }

    /// What development mode had to say so far.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().map(String::as_str)
    }

    /// How many patches came so far.
    pub fn patches(&self) -> usize {
        self.patches
    }
}

fn parse(selector: &str) -> Selector {
    Selector::parse(selector).unwrap_or_else(|error| panic!("{selector:?} is no CSS selector: {error}"))
}

fn text(document: &Html, selector: &str) -> String {
    let found = document.root_element().select(&parse(selector)).next();
    let found = found.unwrap_or_else(|| panic!("nothing fits {selector:?}:\n{}", document.html()));
    found.text().flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

fn values(element: ElementRef<'_>) -> Fields {
    let named = |(name, value): (&str, &str)| Some((name.strip_prefix("data-lv-value-")?.to_owned(), value.to_owned()));
    element.value().attrs().filter_map(named).collect()
}

/// What a form would send: its successful controls, and the button that was pressed.
fn fields(form: ElementRef<'_>, pressed: Option<ElementRef<'_>>) -> Fields {
    let mut fields = Fields::default();
    for control in form.select(&parse("input[name], textarea[name], select[name], button[name]")) {
        let name = control.attr("name").unwrap_or_default();
        let value = control.attr("value");
        if control.attr("disabled").is_some() {
            continue;
        }
        match (control.value().name(), control.attr("type").unwrap_or_default()) {
            ("input", "checkbox" | "radio") if control.attr("checked").is_none() => {}
            ("input", "checkbox" | "radio") => fields.push(name, value.unwrap_or("on")),
            ("input", "submit" | "button" | "image" | "reset" | "file") | ("button", _) => {
                if pressed.is_some_and(|pressed| pressed.id() == control.id()) {
                    fields.push(name, value.unwrap_or_default());
                }
            }
            ("textarea", _) => fields.push(name, control.text().collect::<String>()),
            ("select", _) => {
                let options: Vec<_> = control.select(&parse("option")).collect();
                let chosen = options.iter().find(|option| option.attr("selected").is_some()).or(options.first());
                if let Some(option) = chosen {
                    let text = || option.text().collect::<String>();
                    fields.push(name, option.attr("value").map_or_else(text, str::to_owned));
                }
            }
            _ => fields.push(name, value.unwrap_or_default()),
        }
    }
    fields
}

fn is_whole(client: &MemoryClient, message: &Message) -> bool {
    let body: Option<Value> = client.format().from_slice(&message.body).ok();
    let regions =
        body.as_ref().and_then(|body| body.as_array()?.get(1)?.as_array()?.first()?.as_array()?.first()?.as_str());
    regions == Some(ROOT)
}

/// Puts new HTML into the element of this id, or in its place.
fn replace(document: &mut Html, id: &str, outer: bool, html: &str) {
    let by_id = parse(&format!("[id=\"{}\"]", id.replace('\\', "\\\\").replace('"', "\\\"")));
    let target = document.root_element().select(&by_id).next().map(|element| element.id());
    let target = target.unwrap_or_else(|| panic!("the server patches {id:?}, which is not on the page"));
    // A template's content is parsed as what it is, table rows included.
    let parsed = Html::parse_fragment(&format!("<template>{html}</template>"));
    let template = parsed.root_element().select(&parse("template")).next().expect("a template was parsed").id();
    let mut fresh = Vec::new();
    for child in parsed.tree.get(template).into_iter().flat_map(|template| template.children()) {
        fresh.push(copy(document, child));
    }
    let Some(mut target) = document.tree.get_mut(target) else { return };
    if outer {
        for node in fresh {
            target.insert_id_before(node);
        }
        target.detach();
    } else {
        while let Some(mut child) = target.first_child() {
            child.detach();
        }
        for node in fresh {
            target.append_id(node);
        }
    }
}

fn copy(document: &mut Html, from: ego_tree::NodeRef<'_, scraper::Node>) -> ego_tree::NodeId {
    let id = document.tree.orphan(from.value().clone()).id();
    for child in from.children() {
        let child = copy(document, child);
        document.tree.get_mut(id).expect("it was just made").append_id(child);
    }
    id
}
