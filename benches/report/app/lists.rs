//! The same thousand rows twice: in one region, and each a region of its own.

use mizu::prelude::*;

const ROWS: usize = 1_000;

/// Which regions show the rows.
pub(super) enum Lists {
    /// `/list`: one for all of them. Whatever changes is found by comparing it.
    One,
    /// `/each`: one for each. The row that changes is marked.
    Each,
}

#[derive(Serialize, Deserialize)]
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

impl Page for Lists {
    type State = Vec<Row>;
    type Message = ();

    async fn mount(&self, _cx: &mut Ctx<Self>) -> Result<Vec<Row>> {
        Ok((1..=ROWS).map(Row::new).collect())
    }

    fn render(&self, view: &View<Vec<Row>>) -> Markup {
        html! {
            table {
                @match self {
                    Self::One => (view.region("rows", || html! { @for row in view.iter() { (row.markup()) } }).tag("tbody")),
                    Self::Each => (view.each("rows", view, Row::region, Row::markup).tag("tbody")),
                }
            }
        }
    }

    async fn handle(&self, _cx: &mut Ctx<Self>, session: &mut Session<Vec<Row>>, event: Event) -> Result {
        let rows = &mut session.state;
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
