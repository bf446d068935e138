//! A page that shows what a test says: HTML is posted to a room, and everybody in that room sees it.
//!
//! What the lab's other pages are too fixed for is tried here. The HTML stands in one region, whose place in the document the test
//! chooses, and reaches the browser in steps or, when the test wants that, as a whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, Response};
use maud::PreEscaped;
use mizu::prelude::*;

/// At the end of HTML it makes no difference to a browser, which reads a line feed; but the server leaves all such HTML to the browser, and sends it whole.
const CARRIAGE_RETURN: char = '\r';

/// As strict as the other pages', and scripts may be inline that have the nonce, and frames may be shown.
const POLICY: &str = "default-src 'none'; script-src 'self' 'nonce-stage'; style-src 'self'; connect-src 'self'; \
    frame-src 'self'; form-action 'self'; base-uri 'none'";

/// What a room shows, and what was done there.
#[derive(Default)]
struct Room {
    html: String,
    events: Vec<(String, BTreeMap<String, String>)>,
}

/// All rooms, by name.
#[derive(Clone, Default)]
pub(crate) struct Rooms(Arc<Mutex<HashMap<String, Room>>>);

impl Rooms {
    fn with<T>(&self, room: &str, work: impl FnOnce(&mut Room) -> T) -> T {
        work(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(room.to_owned()).or_default())
    }
}

/// Where and how somebody looks.
#[derive(Clone, Serialize, Deserialize)]
struct Seat {
    room: String,
    /// The element that holds what is shown: `div`, `g` in an SVG, `tbody` in a table, `select`.
    #[serde(default)]
    within: String,
    /// Patches are whole regions.
    #[serde(default)]
    whole: bool,
}

pub(crate) struct Stage {
    pub(crate) rooms: Rooms,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Shown {
    seat: Seat,
    html: String,
    /// How often something else was shown.
    turn: u64,
    /// What was typed last into a field `q`, in capitals: it takes the place of `{q}` in the HTML.
    typed: String,
}

impl Shown {
    fn filled(&self) -> String {
        let mut html = self.html.replace("{q}", &self.typed);
        if self.seat.whole {
            html.push(CARRIAGE_RETURN);
        }
        html
    }
}

impl Page for Stage {
    type State = Shown;
    type Message = String;

    async fn mount(&self, cx: &mut Ctx<Self>) -> Result<Shown> {
        let Query(seat) = cx.extract::<Query<Seat>>().await?;
        cx.subscribe(format!("stage:{}", seat.room), |html: String| html).await?;
        let html = self.rooms.with(&seat.room, |room| room.html.clone());
        Ok(Shown { seat, html, turn: 0, typed: String::new() })
    }

    fn render(&self, view: &View<Shown>) -> Markup {
        let html = || PreEscaped(view.filled());
        let region = |tag: &'static str| view.region("stage", html).tag(tag);
        html! {
            h1 { "Stage" }
            // Beside the stage, so that a test sees when a patch has arrived that changes nothing on it.
            (view.region("turn", || html! { (view.turn) }).tag("output"))
            @match view.seat.within.as_str() {
                "g" => svg id="svg" viewBox="0 0 100 100" { (region("g")) },
                "tbody" => table { (region("tbody")) },
                "select" => (region("select")),
                _ => (region("div")),
            }
        }
    }

    async fn handle(&self, _cx: &mut Ctx<Self>, session: &mut Session<Shown>, event: Event) -> Result {
        let fields: BTreeMap<String, String> =
            event.form().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if let Some(typed) = fields.get("q") {
            session.state.typed = typed.to_uppercase();
        }
        self.rooms.with(&session.state.seat.room, |room| room.events.push((event.name().to_owned(), fields)));
        match event.name() {
            "refuse" => Err(Error::reject("refused", "Not this.")),
            _ => Ok(()),
        }
    }

    async fn info(&self, _cx: &mut Ctx<Self>, session: &mut Session<Shown>, html: String) -> Result {
        session.state.html = html;
        session.state.turn += 1;
        Ok(())
    }
}

/// Shows something else in a room.
pub(crate) async fn show(
    State((live, rooms)): State<(Live, Rooms)>,
    Path(room): Path<String>,
    html: String,
) -> Result<StatusCode, StatusCode> {
    rooms.with(&room, |shown| shown.html.clone_from(&html));
    live.publish(format!("stage:{room}"), &html).await.map_err(|error| error.status())?;
    Ok(StatusCode::NO_CONTENT)
}

/// What was done in a room: names of events, each with its fields.
pub(crate) async fn events(
    State((_, rooms)): State<(Live, Rooms)>,
    Path(room): Path<String>,
) -> Json<Vec<(String, BTreeMap<String, String>)>> {
    Json(rooms.with(&room, |room| room.events.clone()))
}

/// A document for a frame, which tells the page around it each time that it is loaded.
pub(crate) async fn frame() -> Html<&'static str> {
    Html(
        r#"<!doctype html><title>Frame</title><input id="inside"><script nonce="stage">parent.frames_loaded = (parent.frames_loaded ?? 0) + 1</script>"#,
    )
}

/// Sets the policy of the stage.
pub(crate) async fn policy(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}
