//! Building with Cargo.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;

use super::error::BuildError;
use super::tail::Tail;
use crate::args::DevArgs;

/// How a project is built.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    root: PathBuf,
    arguments: Vec<String>,
    bin: Option<String>,
}

/// What Cargo tells, a line each, as far as it matters here.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Told {
    CompilerMessage {
        message: Diagnostic,
    },
    CompilerArtifact {
        target: Target,
        executable: Option<PathBuf>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    rendered: Option<String>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// What one build told.
#[derive(Default)]
struct Heard {
    errors: String,
    binaries: Vec<(String, PathBuf)>,
}

impl Build {
    pub(crate) fn new(root: &Path, args: &DevArgs) -> Self {
        let mut arguments: Vec<String> = vec!["build".into(), "--message-format=json-diagnostic-rendered-ansi".into()];
        let mut add = |name: &str, value: &Option<String>| {
            if let Some(value) = value {
                arguments.extend([name.to_owned(), value.clone()]);
            }
        };
        add("--package", &args.package);
        add("--bin", &args.bin);
        add("--features", &args.features);
        if args.release {
            arguments.push("--release".into());
        }
        Self { root: root.to_owned(), arguments, bin: args.bin.clone() }
    }

    /// Builds, and gives the program. Dropped while it builds, it ends Cargo.
    pub(crate) async fn run(self) -> Result<PathBuf, BuildError> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(&self.arguments).current_dir(&self.root).kill_on_drop(true);
        let mut cargo = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (stdout, stderr) = (cargo.stdout.take(), cargo.stderr.take());
        let said = Tail::default();
        let (heard, (), status) = tokio::join!(hear(stdout), echo(stderr, &said), cargo.wait());
        if status?.success() {
            return program(heard.binaries, self.bin.as_deref());
        }
        // Errors that are none of the compiler's (a manifest that can't be read, a linker that is missing) are only said.
        let output = if heard.errors.is_empty() { said.text() } else { heard.errors };
        Err(BuildError::Failed { output })
    }
}

/// Takes in what Cargo tells, and shows what the compiler has to say.
async fn hear(stdout: Option<impl AsyncRead + Unpin>) -> Heard {
    let mut heard = Heard::default();
    let Some(stdout) = stdout else { return heard };
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        heard.take(&line);
    }
    heard
}

impl Heard {
    fn take(&mut self, line: &str) {
        // What is no message of Cargo's is a build script's or a macro's.
        let Ok(told) = serde_json::from_str(line) else {
            eprintln!("{line}");
            return;
        };
        match told {
            Told::CompilerMessage { message: Diagnostic { level, rendered: Some(rendered) } } => {
                eprint!("{rendered}");
                // `error: aborting due to ..` ends every list of errors and says nothing.
                let says_nothing =
                    rendered.contains("aborting due to") || rendered.contains("For more information about");
                if level.starts_with("error") && !says_nothing {
                    self.errors.push_str(&rendered);
                }
            }
            Told::CompilerArtifact { target, executable: Some(program) }
                if target.kind.iter().any(|kind| kind == "bin") =>
            {
                self.binaries.push((target.name, program));
            }
            _ => {}
        }
    }
}

/// Shows what a process says, and keeps the last of it.
pub(crate) async fn echo(from: Option<impl AsyncRead + Unpin>, said: &Tail) {
    let Some(from) = from else { return };
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        eprintln!("{line}");
        said.push(&line);
    }
}

fn program(binaries: Vec<(String, PathBuf)>, wanted: Option<&str>) -> Result<PathBuf, BuildError> {
    let mut fitting: Vec<_> =
        binaries.into_iter().filter(|(name, _)| wanted.is_none_or(|wanted| wanted == name)).collect();
    match fitting.len() {
        0 => Err(BuildError::NoBinary),
        1 => Ok(fitting.remove(0).1),
        _ => Err(BuildError::Several { names: fitting.into_iter().map(|(name, _)| name).collect() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_programs_are_picked_out() {
        let mut heard = Heard::default();
        for line in [
            r#"{"reason":"compiler-artifact","target":{"name":"serde","kind":["lib"]},"executable":null,"fresh":true}"#,
            r#"{"reason":"compiler-message","message":{"level":"warning","rendered":"warning: unused\n"}}"#,
            r#"{"reason":"compiler-message","message":{"level":"error","rendered":"error: expected\n"}}"#,
            r#"{"reason":"compiler-message","message":{"level":"error","rendered":"error: aborting due to 1 previous error\n"}}"#,
            r#"{"reason":"compiler-artifact","target":{"name":"shop","kind":["bin"]},"executable":"/t/shop"}"#,
            r#"{"reason":"build-finished","success":true}"#,
            "a build script says this",
        ] {
            heard.take(line);
        }
        assert_eq!(heard.errors, "error: expected\n");
        assert_eq!(heard.binaries, [("shop".to_owned(), PathBuf::from("/t/shop"))]);
    }

    #[test]
    fn one_program_is_run() {
        let two = || vec![("a".to_owned(), PathBuf::from("/a")), ("b".to_owned(), PathBuf::from("/b"))];
        assert_eq!(program(two(), Some("b")).unwrap(), PathBuf::from("/b"));
        assert!(matches!(program(vec![], None), Err(BuildError::NoBinary)));
        let several = program(two(), None).unwrap_err();
        assert_eq!(several.to_string(), "the package has several binaries (a, b): say which with --bin");
    }
}
