//! Reading an app's statement as far as to know what kind it is.

/// The kinds of statements that a mutator may run: those that read and write rows. Everything else ends transactions, or changes what the
/// connection is for whoever has it next.
const ALLOWED: [&str; 14] = [
    "call", "delete", "do", "explain", "insert", "lock", "merge", "notify", "select", "show", "table", "truncate",
    "update", "values",
];

/// The first word of a statement, in lower case, where it may not be run.
pub(super) fn denied(statement: &str) -> Option<String> {
    let word = first_word(statement);
    (word != "with" && !ALLOWED.contains(&word.as_str())).then_some(word)
}

/// The first word behind white space, comments and opening parentheses, as PostgreSQL reads them. Where this would skip more than
/// PostgreSQL does, something could hide.
fn first_word(statement: &str) -> String {
    let mut rest = statement.as_bytes();
    loop {
        rest = match rest {
            [b' ' | b'\t' | b'\n' | b'\r' | 0x0c | b'(', tail @ ..] => tail,
            [b'-', b'-', tail @ ..] => {
                let end = tail.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
                end.map_or(&[], |end| &tail[end..])
            }
            [b'/', b'*', tail @ ..] => behind_comment(tail),
            _ => break,
        };
    }
    let end = rest.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(rest.len());
    String::from_utf8_lossy(&rest[..end]).to_ascii_lowercase()
}

/// What stands behind a comment whose beginning was read. Such comments nest.
fn behind_comment(mut rest: &[u8]) -> &[u8] {
    let mut depth = 1;
    while depth > 0 {
        rest = match rest {
            [b'/', b'*', tail @ ..] => {
                depth += 1;
                tail
            }
            [b'*', b'/', tail @ ..] => {
                depth -= 1;
                tail
            }
            [_, tail @ ..] => tail,
            [] => return &[],
        };
    }
    rest
}

/// The first text, in the order of bytes, behind all that start with a prefix. Ids have at most 128 bytes, so that one of more of the last
/// character stands for no end.
pub(super) fn behind_prefix(prefix: &str) -> String {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        if let Some(next) = (last as u32 + 1..=char::MAX as u32).find_map(char::from_u32) {
            chars.push(next);
            return chars.into_iter().collect();
        }
    }
    char::MAX.to_string().repeat(33)
}

/// Numbers that PostgreSQL has no unsigned type for.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number of rows or bytes, with room for one more.
pub(super) fn most(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX).min(i64::MAX - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn statements_that_read_and_write_rows_are_allowed() {
        for good in [
            "select 1",
            "  INSERT into a values (1)",
            "-- why\n\tUpdate a set b = 1",
            "/* a /* b */ c */ delete from a",
            "((select 1) union (select 2))",
            "with a as (select 1) select * from a",
            "select/**/1",
            "/**/--x\r select 1;",
        ] {
            assert_eq!(denied(good), None, "{good:?}");
        }
    }

    #[test]
    fn what_ends_transactions_or_outlives_them_is_denied() {
        for (bad, word) in [
            ("COMMIT", "commit"),
            ("commit;", "commit"),
            (" \n\x0c end", "end"),
            ("/* select */ rollback", "rollback"),
            ("/* /* */ select 1 */ abort", "abort"),
            ("--select\nbegin", "begin"),
            ("--\rcommit /*\nselect 1 */", "commit"),
            ("start transaction", "start"),
            ("savepoint a", "savepoint"),
            ("release a", "release"),
            ("prepare transaction 'a'", "prepare"),
            ("set session statement_timeout = 0", "set"),
            ("SET LOCAL role none", "set"),
            ("reset all", "reset"),
            ("discard all", "discard"),
            ("listen a", "listen"),
            ("copy a to program 'b'", "copy"),
            ("create table a ()", "create"),
            ("commit_", "commit"),
            (";commit", ""),
            ("\u{a0}commit", ""),
            ("\u{feff}select 1", ""),
            ("", ""),
            ("/* select 1", ""),
            ("-- select 1", ""),
        ] {
            assert_eq!(denied(bad).as_deref(), Some(word), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn prefixes_end_behind_all_that_start_so(prefix in "\\PC{0,6}", rest in "\\PC{0,6}", other in "\\PC{1,8}") {
            let end = behind_prefix(&prefix);
            let inside = format!("{prefix}{rest}");
            prop_assert!(inside < end);
            prop_assert_eq!(other.starts_with(&prefix), other >= prefix && other < end);
        }

        #[test]
        fn any_text_is_read(text in "[-/*( \\r\\n;a-z]{0,40}") {
            let _ = denied(&text);
        }
    }

    #[test]
    fn prefixes_of_last_characters_end() {
        assert_eq!(behind_prefix("a\u{d7ff}"), "a\u{e000}");
        assert_eq!(behind_prefix("a\u{10ffff}"), "b");
        assert!(behind_prefix("\u{10ffff}") > "\u{10ffff}".repeat(32));
        assert!(behind_prefix("") > "z".repeat(128));
    }
}
