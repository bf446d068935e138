//! An open page: what a browser with scripts would show, without one.

use std::collections::VecDeque;
use std::time::Duration;

use rmpv::Value;
use scraper::{ElementRef, Html};

use super::app::{TestApp, TestResponse};
use super::html::{fields, parse, replace, text, values};
use super::ops;
use super::streams;
use crate::live::{CloseCode, Kind, MemoryClient, Message, Ref, Topic};
use crate::page::fields::Fields;
use crate::page::rendered::ROOT;

/// How long a test waits for the server before it fails.
const PATIENCE: Duration = Duration::from_secs(10);

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
    /// Whether items came since the server last heard how far the page is.
    unacknowledged: bool,
}

impl TestPage {
    pub(super) async fn join(app: TestApp, path: &str, response: &TestResponse) -> Self {
        let document = Html::parse_document(response.body());
        let token = response.token();
        let title = document
            .root_element()
            .select(&parse("title"))
            .next()
            .map(|title| title.text().collect())
            .unwrap_or_default();
        let client = app.socket().await;
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
            unacknowledged: false,
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
        self.acknowledge().await;
        self.check().await;
    }

    async fn acknowledge(&mut self) {
        self.unacknowledged = false;
        self.send(Kind::ACK, self.topic.clone(), &Value::Array(vec![self.seq.into()])).await;
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
        self.client = self.app.socket().await;
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
            match part(1).and_then(Value::as_u64) {
                Some(2) => {
                    let ops = part(2).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                    ops::apply(&mut self.document, text(0), ops);
                }
                Some(3) => {
                    let ops = part(2).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                    streams::apply(&mut self.document, text(0), ops);
                    self.unacknowledged = true;
                }
                kind => replace(&mut self.document, text(0), kind == Some(1), text(2)),
            }
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
        if self.unacknowledged {
            self.acknowledge().await;
        }
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

    /// Presses a key on the first element a CSS selector finds, which has `data-lv-keydown` or `data-lv-keyup`. Keys that
    /// `data-lv-key` leaves out do nothing.
    ///
    /// # Panics
    ///
    /// When it finds none, or one that listens to no key.
    pub async fn key(&mut self, selector: &str, key: &str) {
        let element = self.find(selector);
        let (down, up) = (element.attr("data-lv-keydown"), element.attr("data-lv-keyup"));
        let kind = if down.is_some() { "keydown" } else { "keyup" };
        let name = down.or(up).map(str::to_owned);
        let name = name.unwrap_or_else(|| panic!("{selector:?} listens to no key: {}", element.html()));
        let wanted = element.attr("data-lv-key").is_none_or(|keys| keys.split(' ').any(|wanted| wanted == key));
        let values = values(element);
        if wanted {
            self.event_with_key(&name, values, Fields::default(), kind, Some(key)).await;
        }
    }

    async fn event(&mut self, name: &str, values: Fields, form: Fields, kind: &str) {
        self.event_with_key(name, values, form, kind, None).await;
    }

    async fn event_with_key(&mut self, name: &str, values: Fields, form: Fields, kind: &str, key: Option<&str>) {
        let pair = |(name, value): (&str, &str)| Value::Array(vec![name.into(), value.into()]);
        let pairs = |fields: &Fields| Value::Array(fields.iter().map(pair).collect());
        let meta = Value::Map(vec![("type".into(), kind.into())]);
        let body =
            vec![name.into(), Value::Nil, pairs(&values), pairs(&form), key.map_or(Value::Nil, Value::from), meta];
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
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !expected(self) {
            let Ok(message) = tokio::time::timeout_at(deadline, self.receive()).await else {
                panic!("what was expected did not come in time; {} shows:\n{}", self.path, self.html());
            };
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

fn is_whole(client: &MemoryClient, message: &Message) -> bool {
    let body: Option<Value> = client.format().from_slice(&message.body).ok();
    let regions =
        body.as_ref().and_then(|body| body.as_array()?.get(1)?.as_array()?.first()?.as_array()?.first()?.as_str());
    regions == Some(ROOT)
}
