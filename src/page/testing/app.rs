//! An app under test, and what it answers.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use scraper::Html;
use tower::ServiceExt;

use super::html::{parse, text};
use super::page::TestPage;
use crate::live::MemoryClient;
use crate::page::app::Live;
use crate::page::attach::LiveApp;
use crate::page::fields::Fields;

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
    pub async fn connect(&self, path: &str) -> TestPage {
        let response = self.get(path).await;
        let to = response.header("location").map(|to| format!(" (it leads to {to:?})")).unwrap_or_default();
        let status = response.status();
        assert!(
            status == StatusCode::OK,
            "GET {path} is answered with {status}{to}, not with a page:\n{}",
            response.body()
        );
        TestPage::join(self.clone(), path, &response).await
    }

    /// A socket of this app's, with its headers.
    pub(super) async fn socket(&self) -> MemoryClient {
        let (handshake, _) = self.request("GET", "/_live", Body::empty()).into_parts();
        let client = self.app.connect_in_memory(handshake).await;
        client.unwrap_or_else(|refused| panic!("the connection was refused: {}", refused.status()))
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
