//! The counter page as HTML, against a handler that writes the same document.

use super::round::{median, round};
use super::sessions::each;
use crate::http::Http;
use crate::process::{MIZU, PLAIN, Server};
use crate::table::{Figure, Row, Table, Target};
use crate::{Plan, Result};

pub(crate) async fn measure(plan: &Plan, table: &mut Table) -> Result {
    let (mizu, plain) = (Server::start(MIZU)?, Server::start(PLAIN)?);
    let mut loaders = [Vec::new(), Vec::new()];
    for (server, loaders) in [&mizu, &plain].into_iter().zip(&mut loaders) {
        for _ in 0..plan.loaders {
            loaders.push(Http::connect(server.address).await?);
        }
    }
    let [mut with_loaders, mut without_loaders] = loaders;
    let bytes = with_loaders.first_mut().ok_or("nobody loads")?.get("/counter").await?.len();
    let plain_bytes = without_loaders.first_mut().ok_or("nobody loads")?.get("/counter").await?.len();

    // Every load parks a session. Measured is what it is like when the park is full: each pushes another one out.
    with_loaders = load(with_loaders, plan.parked / plan.loaders).await?;
    without_loaders = load(without_loaders, plan.loads / 10).await?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let units = plan.loaders * plan.loads;
        with.push(
            round(&mizu, units, async {
                with_loaders = load(std::mem::take(&mut with_loaders), plan.loads).await?;
                Ok(())
            })
            .await?,
        );
        without.push(
            round(&plain, units, async {
                without_loaders = load(std::mem::take(&mut without_loaders), plan.loads).await?;
                Ok(())
            })
            .await?,
        );
    }
    let (with, without) = (median(&with), median(&without));
    table.push(Row {
        what: format!("CPU per GET of the counter page ({bytes} B; baseline {plain_bytes} B)"),
        mizu: Figure::Time(with.cpu),
        baseline: Some(("axum + maud", Figure::Time(without.cpu))),
        target: Target::AtMost(1.3),
    });
    table.push(Row {
        what: format!("GETs, {} at a time", plan.loaders),
        mizu: Figure::PerSecond(with.rate),
        baseline: Some(("axum + maud", Figure::PerSecond(without.rate))),
        target: Target::None,
    });
    Ok(())
}

async fn load(loaders: Vec<Http>, loads: usize) -> Result<Vec<Http>> {
    let load = |mut http: Http| async move {
        for _ in 0..loads {
            http.get("/counter").await?;
        }
        Ok(http)
    };
    each(loaders, load).await
}
