//! The same thousand rows twice: in one region, and each a region of its own. `?own` gives rows that nobody else has.

use std::sync::{Arc, LazyLock};

use axum::extract::RawQuery;
use mizu::prelude::*;

const ROWS: usize = 1_000;

/// Which regions show the rows.
pub(super) enum Lists {
    /// `/list`: one for all of them. Whatever changes is found by comparing it.
    One,
    /// `/each`: one for each. The row that changes is marked.
    Each,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Row {
    id: usize,
    value: usize,
}

impl Row {
    fn new(id: usize) -> Self {
        Self { id, value: (id * 7_919) % 1_000 }
    }

    fn region(&self) -> String {
        format!("row-{}", self.id)
    }

    fn markup(&self) -> Markup {
        html! {
            tr id=(self.region()) {
                td { (self.id) }
                td { "Row " (self.id) }
                td { (self.value) }
                td class="busy" { "busy" }
                td { button class="touch" form="lv" name="lv" value={ "touch?id=" (self.id) } { "Touch" } }
            }
        }
    }
}

/// The HTML of the first row that `insert` puts at the top.
pub(crate) fn inserted() -> String {
    Row::new(ROWS + 1).markup().into_string()
}

/// What everybody begins with; a copy is made by whoever changes them.
static ROWS_OF_ALL: LazyLock<Arc<Vec<Row>>> = LazyLock::new(|| Arc::new((1..=ROWS).map(Row::new).collect()));

impl Page for Lists {
    type State = Arc<Vec<Row>>;
    type Message = ();

    async fn mount(&self, cx: &mut Ctx<Self>) -> Result<Self::State> {
        let RawQuery(query) = cx.extract().await?;
        let mut rows = ROWS_OF_ALL.clone();
        if query.is_some() {
            let own: usize = rand::random_range(0..1_000);
            Arc::make_mut(&mut rows).iter_mut().for_each(|row| row.value = (row.id * own + row.value) % 1_000);
        }
        Ok(rows)
    }

    fn render(&self, view: &View<Self::State>) -> Markup {
        html! {
            table {
                @match self {
                    Self::One => (view.region("rows", || html! { @for row in view.iter() { (row.markup()) } }).tag("tbody")),
                    Self::Each => (view.each("rows", view.as_slice(), Row::region, Row::markup).tag("tbody")),
                }
            }
        }
    }

    async fn handle(&self, _cx: &mut Ctx<Self>, session: &mut Session<Self::State>, event: Event) -> Result {
        let rows = Arc::make_mut(&mut session.state);
        match event.name() {
            "touch" => {
                let id: usize = event.value("id")?;
                let row = rows.iter_mut().find(|row| row.id == id);
                let row = row.ok_or_else(|| Error::reject("no_row", format!("There is no row {id}.")))?;
                row.value = (row.value + 1) % 1_000;
                if let Self::Each = self {
                    session.mark(format!("row-{id}"));
                    return Ok(());
                }
            }
            "insert" => rows.insert(0, Row::new(rows.len() + 1)),
            "reverse" => rows.reverse(),
            other => return Err(Error::reject("unknown", format!("There is nothing called {other:?}."))),
        }
        session.mark("rows");
        Ok(())
    }
}
