//! A PostgreSQL server of a test's own: in a temporary folder, reached by a socket there, gone when it is dropped.
//!
//! `initdb` runs once and its outcome is kept in Cargo's folder for temporary files; each server starts with a copy. A server that is root's
//! test runs as the user `postgres`, as PostgreSQL refuses root.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything may take that the server does.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whom the server runs as if the test is root's.
const USER: &str = "postgres";

/// A private server. Start it on the thread that the test runs on: it is stopped when that thread ends, however it does.
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    durable: bool,
    server: Option<Child>,
}

impl Postgres {
    /// Starts a server whose commits survive the loss of power.
    pub(crate) fn start() -> Self {
        Self::with(true)
    }

    /// Starts a server that doesn't wait for the disk: quicker, and still safe when it is killed.
    pub(crate) fn start_without_fsync() -> Self {
        Self::with(false)
    }

    fn with(durable: bool) -> Self {
        /// Tells the servers of one process apart.
        static STARTED: AtomicUsize = AtomicUsize::new(0);

        let programs = programs();
        let template = template(&programs);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("mizu-pg-{}-{number}", std::process::id()));
        // What a process of the same id left when it was killed.
        let _ = fs::remove_dir_all(&folder);
        private_folder(&folder);
        let mut server = Self { programs, folder, durable, server: None };
        run(Command::new("cp").arg("-a").arg(template).arg(server.data()));
        if is_root() {
            run(Command::new("chown").args(["-R", USER]).arg(&server.folder));
        }
        server.start_again();
        server
    }

    /// The URL of a database of the server.
    pub(crate) fn url(&self) -> String {
        let folder = self.folder.to_str().expect("a folder whose name is UTF-8").replace('/', "%2F");
        format!("postgresql://{USER}@{folder}/postgres")
    }

    /// Kills the server and everything it does, as the loss of power would: nothing is written any more.
    pub(crate) fn kill(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let id = server.id();
        let workers = children(id);
        let _ = server.kill();
        let _ = server.wait();
        for worker in workers.into_iter().filter(|worker| is_postgres(*worker)) {
            let _ = Command::new("kill").args(["-KILL", &worker.to_string()]).stderr(Stdio::null()).status();
        }
    }

    /// Starts the server again that was killed or stopped.
    pub(crate) fn start_again(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let _ = fs::remove_file(self.data().join("postmaster.pid"));
            match self.try_start(deadline) {
                Ok(server) => return self.server = Some(server),
                // Workers of a server that was killed may not be gone yet.
                Err(log) => assert!(Instant::now() < deadline, "PostgreSQL does not start:\n{log}"),
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Stops the server in order.
    pub(crate) fn stop(&mut self) {
        self.end("-INT");
    }

    fn end(&mut self, signal: &str) {
        let Some(mut server) = self.server.take() else { return };
        let _ = Command::new("kill").args([signal, &server.id().to_string()]).status();
        let deadline = Instant::now() + PATIENCE;
        while server.try_wait().is_ok_and(|ended| ended.is_none()) {
            if Instant::now() > deadline {
                let _ = server.kill();
            }
            sleep(Duration::from_millis(2));
        }
    }

    fn try_start(&self, deadline: Instant) -> Result<Child, String> {
        let log = self.folder.join("log");
        let file = File::create(&log).expect("a file for the server's log");
        let folder = self.folder.to_str().expect("a folder whose name is UTF-8");
        let settings = [
            "listen_addresses=".to_owned(),
            format!("unix_socket_directories={folder}"),
            format!("fsync={}", if self.durable { "on" } else { "off" }),
            "max_connections=100".to_owned(),
            "shared_buffers=32MB".to_owned(),
            "dynamic_shared_memory_type=mmap".to_owned(),
        ];
        let mut command = as_server(&self.programs.join("postgres"));
        command.arg("-D").arg(self.data());
        for setting in settings {
            command.args(["-c", &setting]);
        }
        let errors = file.try_clone().expect("the server's log a second time");
        let mut server =
            command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn().expect("a server that can be started");
        loop {
            let state = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
            if state.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(server);
            }
            let ended = server.try_wait().expect("a server that was started");
            if ended.is_some() || Instant::now() > deadline {
                let _ = server.kill();
                let _ = server.wait();
                return Err(fs::read_to_string(&log).unwrap_or_default());
            }
            sleep(Duration::from_millis(5));
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.end("-QUIT");
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The folder of the newest server's programs.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let folders = versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").exists());
    let version = |bin: &PathBuf| bin.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = folders.max_by_key(version);
    newest.expect("no PostgreSQL server in /usr/lib/postgresql: install Debian's package `postgresql` (apt-get install postgresql)")
}

/// A cluster that was never started. Made once, by whoever comes first.
fn template(programs: &Path) -> PathBuf {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(kept).expect("Cargo's folder for temporary files");
    let version = programs.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let template = kept.join(format!("postgres-{version}"));
    let guard = File::create(kept.join("postgres.lock")).expect("a file to lock");
    guard.lock().expect("the lock of the template");
    if !template.exists() {
        // Made where the server's user may write, then copied beside its place: what has the name is whole.
        let folder = std::env::temp_dir().join(format!("mizu-pg-{}-new", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        private_folder(&folder);
        if is_root() {
            run(Command::new("chown").arg(USER).arg(&folder));
        }
        let made = folder.join("data");
        let user = format!("--username={USER}");
        let settings = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--wal-segsize=1", &user];
        run(as_server(&programs.join("initdb")).args(settings).arg("-D").arg(&made));
        let beside = kept.join(format!("postgres-{version}.new"));
        let _ = fs::remove_dir_all(&beside);
        run(Command::new("cp").arg("-a").arg(&made).arg(&beside));
        fs::rename(&beside, &template).expect("the template in its place");
        let _ = fs::remove_dir_all(&folder);
    }
    template
}

/// A program run as whom the server may run as. It ends with the thread that started it.
fn as_server(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid", USER, "--regid", USER, "--init-groups"]);
    }
    command.args(["--pdeathsig", "QUIT", "--"]).arg(program).current_dir("/");
    command
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("the program id");
    id.stdout.trim_ascii() == b"0"
}

fn private_folder(folder: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(folder).expect("a folder for a server");
}

fn run(command: &mut Command) {
    let done = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(done.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&done.stderr));
}

/// The processes that a process started.
fn children(id: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    ids.filter(|child| parent(*child) == Some(id)).collect()
}

/// Which process started a process.
fn parent(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

fn is_postgres(id: u32) -> bool {
    fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.trim() == "postgres")
}
