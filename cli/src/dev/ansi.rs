//! A terminal's colours, taken apart for a page.

use serde::Serialize;

/// Text of one look.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Span {
    /// CSS classes, as `bold red`; empty for plain text.
    pub(crate) class: String,
    pub(crate) text: String,
}

const COLOURS: [&str; 8] = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/// One of the first sixteen of 256 colours.
fn named(number: usize) -> Option<&'static str> {
    COLOURS.get(number % 8).filter(|_| number < 16).copied()
}

/// What is switched on by escape sequences.
#[derive(Default)]
struct Look {
    bold: bool,
    colour: Option<&'static str>,
}

impl Look {
    /// Takes the numbers of a sequence `ESC [ .. m`. Backgrounds and rare styles are left out.
    fn switch(&mut self, numbers: &str) {
        let mut numbers = numbers.split(';').map(|number| number.parse::<usize>().unwrap_or(0));
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = Self::default(),
                1 => self.bold = true,
                22 => self.bold = false,
                30..=37 => self.colour = Some(COLOURS[number - 30]),
                90..=97 => self.colour = Some(COLOURS[number - 90]),
                39 => self.colour = None,
                // `38;5;n`: the first sixteen are the named ones.
                38 => match numbers.next() {
                    Some(5) => self.colour = numbers.next().and_then(named),
                    // `38;2;r;g;b`: three numbers that are no switches.
                    Some(2) => drop(numbers.nth(2)),
                    _ => {}
                },
                _ => {}
            }
        }
    }

    fn class(&self) -> String {
        let parts = [self.bold.then_some("bold"), self.colour];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// Takes text apart by its colours, and all other sequences out of it.
pub(crate) fn spans(text: &str) -> Vec<Span> {
    let (mut found, mut look) = (Vec::new(), Look::default());
    let mut push = |class: String, text: &str| match found.last_mut() {
        _ if text.is_empty() => {}
        Some(Span { class: before, text: long }) if *before == class => long.push_str(text),
        _ => found.push(Span { class, text: text.to_owned() }),
    };
    let mut pieces = text.split('\u{1b}');
    push(String::new(), pieces.next().unwrap_or_default());
    for piece in pieces {
        let Some(sequence) = piece.strip_prefix('[') else {
            push(look.class(), piece);
            continue;
        };
        // A sequence ends with its first byte from `@` to `~`; one that doesn't end takes the rest.
        let end = sequence.find(|char| matches!(char, '@'..='~')).unwrap_or(sequence.len());
        let (numbers, rest) = sequence.split_at(end);
        if rest.starts_with('m') {
            look.switch(numbers);
        }
        push(look.class(), rest.get(1..).unwrap_or_default());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let found = spans(text);
        let found: Vec<_> = found.iter().map(|span| (span.class.as_str(), span.text.as_str())).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn colours_become_classes() {
        check("plain <b>", &[("", "plain <b>")]);
        check("\x1b[1m\x1b[38;5;9merror\x1b[0m: no", &[("bold red", "error"), ("", ": no")]);
        check(
            "a\x1b[31mb\x1b[39mc\x1b[1;94md\x1b[22me",
            &[("", "a"), ("red", "b"), ("", "c"), ("bold blue", "d"), ("blue", "e")],
        );
        check("\x1b[38;5;200mx\x1b[38;2;1;2;3my", &[("", "xy")]);
    }

    #[test]
    fn other_sequences_leave_nothing() {
        check("a\x1b[2Kb\x1b[m\x1b[?25lc", &[("", "abc")]);
        check("cut \x1b[3", &[("", "cut ")]);
        check("\x1b\x1b[", &[]);
        check("", &[]);
    }
}
