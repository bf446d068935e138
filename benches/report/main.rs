//! What pages and durable data cost, next to what the same bytes cost without them.
//!
//! ```text
//! cargo bench --bench report                     everything, in some minutes
//! cargo bench --bench report -- --quick          small counts, in seconds: whether the harness works
//! cargo bench --bench report -- click get        some of: click, touch, idle, fan-out, watch, get, bytes, reconnect,
//!                                                sync-push, sync-read, sync-compact, sync-poke, sync-postgres
//! cargo bench --bench report -- sync             all whose names start so
//! ```
//!
//! `sync-postgres` needs `--features postgres` and the programs of a PostgreSQL server, of which it starts one for itself;
//! without them the table says so. The browser's side of durable data is measured by `benches/browser/sync.mjs`,
//! that of patches by `benches/browser/patch.mjs`.
//!
//! One Markdown table comes out. Each figure stands next to a baseline that was measured in the same run: a server with
//! nothing but axum, tuned, which moves the same bytes, or the bare database, which runs the same statements. Servers are
//! processes of their own (this program, started again with `--server`), so that their CPU time and memory are theirs
//! alone; databases are written to by this process, which tells its own CPU time. Rounds of the two alternate, and the
//! medians are compared.
//!
//! CPU time is what to look at: rates depend on the load tool, which shares the machine with the server. The exit code
//! says whether the harness works, not whether the targets are met.

use std::process::ExitCode;

mod app;
mod client;
mod http;
mod measure;
mod process;
mod servers;
mod table;

/// Example pages, as the server for load tools has them.
#[path = "../../examples/bench.rs"]
mod pages;

/// Whatever is wrong with the harness is told to whoever runs it, and ends the run.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Alternating rounds of the mizu server and the baseline.
    pub(crate) rounds: usize,
    /// Connections that click at the same time, and clicks of each in a round.
    pub(crate) clickers: usize,
    pub(crate) clicks: usize,
    /// Sessions that are held open at a time.
    pub(crate) sessions: usize,
    /// Messages published in a round.
    pub(crate) publishes: usize,
    /// Connections that load pages at the same time, and loads of each in a round.
    pub(crate) loaders: usize,
    pub(crate) loads: usize,
    /// Loads before the first round, to fill the park.
    pub(crate) parked: usize,
    /// Sessions that come back at once.
    pub(crate) returning: usize,
    /// Clients that push at the same time, pushes of each in a round, mutations in a push, and scopes where there are many.
    pub(crate) pushers: usize,
    pub(crate) pushes: usize,
    pub(crate) batch: usize,
    pub(crate) scopes: usize,
    /// Mutations of one client in a round that waits for each.
    pub(crate) singles: usize,
    /// Rows, and changes, that are read from the beginning.
    pub(crate) rows: usize,
    /// Versions of rows that are removed, and how often.
    pub(crate) superseded: usize,
    pub(crate) removals: usize,
    /// Pushes, and events, in a round that another client is poked for.
    pub(crate) pokes: usize,
}

impl Plan {
    const FULL: Self = Self {
        rounds: 7,
        clickers: 50,
        clicks: 400,
        sessions: 5_000,
        publishes: 8,
        loaders: 16,
        loads: 1_000,
        parked: 21_000,
        returning: 1_000,
        pushers: 64,
        pushes: 20,
        batch: 20,
        scopes: 1_000,
        singles: 500,
        rows: 100_000,
        superseded: 100_000,
        removals: 3,
        pokes: 300,
    };

    const QUICK: Self = Self {
        rounds: 2,
        clickers: 10,
        clicks: 50,
        sessions: 200,
        publishes: 2,
        loaders: 4,
        loads: 100,
        parked: 100,
        returning: 50,
        pushers: 8,
        pushes: 3,
        batch: 20,
        scopes: 100,
        singles: 30,
        rows: 3_000,
        superseded: 3_000,
        removals: 2,
        pokes: 100,
    };
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().position(|argument| argument == "--server") {
        Some(at) => serve(arguments.get(at + 1).map_or("", String::as_str)),
        None => report(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("the benchmark does not work: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Is one of the servers that are measured.
fn serve(kind: &str) -> Result {
    process::end_with_parent();
    match kind {
        process::MIZU => pages::main().map_err(|error| error.to_string().into()),
        process::APP => app::serve(),
        process::PLAIN => servers::main(),
        #[cfg(feature = "sqlite")]
        process::SYNC => measure::serve(measure::Kind::Mizu),
        #[cfg(feature = "sqlite")]
        process::SYNC_PLAIN => measure::serve(measure::Kind::Plain),
        other => Err(format!("there is no server {other:?}").into()),
    }
}

/// Measures what is asked for; everything when nothing is named.
#[tokio::main]
async fn report(arguments: &[String]) -> Result {
    let said = |option: &str| arguments.iter().any(|argument| argument == option);
    if said("--list") {
        // A test runner asks for the tests in here; there are none.
        return Ok(());
    }
    // `cargo bench` says `--bench`; whoever does not, `cargo test` for example, wants to know whether this works.
    let mut plan = if said("--quick") || !said("--bench") { Plan::QUICK } else { Plan::FULL };
    let named: Vec<&str> = arguments.iter().map(String::as_str).filter(|name| !name.starts_with("--")).collect();
    let means =
        |said: &str, name: &str| name.strip_prefix(said).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    if let Some(unknown) = named.iter().find(|said| !measure::NAMES.iter().any(|name| means(said, name))) {
        return Err(format!("nothing is called {unknown:?}; there are {:?}", measure::NAMES).into());
    }
    let wanted = |name: &str| named.is_empty() || named.iter().any(|said| means(said, name));
    // Fan-out holds the sessions of both servers at once, each a file of this process.
    let room = process::raise_open_files()?.saturating_sub(300) / 2;
    if plan.sessions > room {
        eprintln!("only {room} sessions are measured: raise the limit of open files for {}", plan.sessions);
        plan.sessions = room;
    }

    let mut table = table::Table::default();
    for name in measure::NAMES {
        if wanted(name) {
            eprintln!("measuring {name} ...");
            measure::run(name, &plan, &mut table).await.map_err(|failure| format!("{name}: {failure}"))?;
        }
    }
    print!("{table}");
    Ok(())
}
