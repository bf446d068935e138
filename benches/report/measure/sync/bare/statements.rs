//! Whether the engine still runs what the baselines do.

use crate::Result;

/// Looks for statements in the source of a store, however they are broken into lines.
///
/// # Errors
///
/// - One is not there: the store runs another by now, and the baseline must do so too.
pub(super) fn check(store: &str, sources: &[&str], statements: &[&str]) -> Result {
    let source = words(&sources.join(" "));
    match statements.iter().find(|statement| !source.contains(&words(statement))) {
        Some(statement) => {
            Err(format!("{store} does not run {statement:?} any more: the baseline must do as it does").into())
        }
        None => Ok(()),
    }
}

/// Text without line ends and what continues them.
fn words(text: &str) -> String {
    text.split_whitespace().filter(|word| *word != "\\").collect::<Vec<_>>().join(" ")
}
