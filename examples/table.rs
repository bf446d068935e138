//! A table of a thousand rows, of which a click changes one: `view.each` renders that row and no other.
//!
//! ```text
//! cargo run --example table        then open http://127.0.0.1:3000/table, or /table?rows=50
//! ```

#[path = "look/mod.rs"]
mod look;

use axum::extract::Query;
use mizu::Document;
use mizu::prelude::*;

pub(crate) struct Table;

#[derive(Serialize, Deserialize)]
pub(crate) struct Row {
    id: usize,
    name: String,
    value: u64,
    status: Status,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Status {
    Idle,
    Busy,
    Done,
}

impl Status {
    fn of(id: usize) -> Self {
        match id % 3 {
            0 => Self::Busy,
            1 => Self::Idle,
            _ => Self::Done,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Done => "done",
        }
    }
}

#[derive(Deserialize)]
struct Params {
    #[serde(default = "thousand")]
    rows: usize,
}

fn thousand() -> usize {
    1_000
}

const MOST: usize = 20_000;

/// The rows that the address asks for.
async fn rows(cx: &mut Ctx<Table>) -> Result<Vec<Row>> {
    let Query(Params { rows }) = cx.extract().await?;
    if rows > MOST {
        return Err(Error::reject("too_many", format!("{MOST} rows are the most this table shows.")));
    }
    let row = |id| Row { id, name: format!("Row {id}"), value: (id as u64 * 7_919) % 1_000, status: Status::of(id) };
    Ok((1..=rows).map(row).collect())
}

impl Page for Table {
    type State = Vec<Row>;
    type Message = ();

    async fn mount(&self, cx: &mut Ctx<Self>) -> Result<Vec<Row>> {
        rows(cx).await
    }

    /// A link with `data-lv-patch` was followed: the same page under another query.
    async fn params(&self, cx: &mut Ctx<Self>, session: &mut Session<Vec<Row>>) -> Result {
        session.replace(rows(cx).await?);
        Ok(())
    }

    fn render(&self, view: &View<Vec<Row>>) -> Markup {
        html! {
            h1 { "Table" }
            p class="choices" { @for rows in [20, 1_000, 5_000] { a href={ "?rows=" (rows) } data-lv-patch { (rows) " rows" } " " } }
            table {
                thead { tr { th { "Id" } th { "Name" } th { "Value" } th { "Status" } th {} } }
                // Each row is a region, named by the id its element has.
                (view.each("rows", view, |row| format!("row-{}", row.id), |row| html! {
                    tr id={ "row-" (row.id) } {
                        td { (row.id) }
                        td { (row.name) }
                        td { (row.value) }
                        td class=(row.status.text()) { (row.status.text()) }
                        td { button class="touch" form="lv" name="lv" value={ "touch?id=" (row.id) } { "Touch" } }
                    }
                }).tag("tbody"))
            }
        }
    }

    async fn handle(&self, _cx: &mut Ctx<Self>, session: &mut Session<Vec<Row>>, event: Event) -> Result {
        let id: usize = event.value("id")?;
        let row = id.checked_sub(1).and_then(|at| session.state.get_mut(at));
        let row = row.ok_or_else(|| Error::reject("no_row", format!("There is no row {id}.")))?;
        row.value += 1;
        session.mark(format!("row-{id}"));
        Ok(())
    }

    fn title(&self, view: &View<Vec<Row>>) -> String {
        format!("Table of {}", view.len())
    }

    fn layout(&self, document: Document) -> Markup {
        look::layout(&document)
    }
}

pub(crate) fn routes() -> Router {
    Router::new().route("/table", mizu::page(Table))
}

#[tokio::main]
#[allow(dead_code, reason = "the gallery has this file as a module")]
async fn main() -> Result {
    Live::new().serve(routes().merge(look::routes("/table"))).await
}
