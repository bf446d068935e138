//! The last of what a process says.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

/// Lines that are kept: enough for a panic with its backtrace.
const LINES: usize = 200;

/// The last lines of a process's output. Clones are the same lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail {
    /// Guards the lines; held to add one or to copy them.
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl Tail {
    pub(crate) fn push(&self, line: &str) {
        let mut lines = self.lines.lock();
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
    }

    pub(crate) fn text(&self) -> String {
        self.lines.lock().iter().map(|line| format!("{line}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept() {
        let tail = Tail::default();
        (0..LINES + 2).for_each(|line| tail.push(&line.to_string()));
        assert!(tail.text().starts_with("2\n3\n") && tail.text().ends_with("201\n"));
    }
}
