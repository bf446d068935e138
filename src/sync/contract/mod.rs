//! What every store must do, as a suite of tests that any of them can run: one function for each property.
//!
//! Available with the feature `testing`. [`verify`] runs all of them. Each takes what opens a fresh, empty store, wants a runtime with its
//! timers on, and panics with what the store broke. The numbers in the names are those of the properties:
//!
//! | | |
//! |---|---|
//! | 1 | effects, log, acknowledgement and counters commit together |
//! | 2 | a mutation is processed exactly once, in order |
//! | 3 | a number is never used for another content, a client never by another user |
//! | 4 | every processed mutation moves the cursor; acknowledgements are private |
//! | 5, 6 | the order of cursors is the order of commits, without holes |
//! | 7 | a pull is one moment, and never splits a mutation |
//! | 8 | a snapshot at a cursor is the sum of the log up to it |
//! | 9 | a cursor below the log is told so |
//! | 10 | compaction changes nobody's result |
//! | 11 | another history is told from this one |
//! | 12 | what can't succeed never blocks what comes behind it |
//! | 13 | a batch that stops has a processed prefix |
//! | 14 | a mutation of several scopes is one |
//! | 15 | nothing is open that was not opened |
//! | 16 | the client's clock does not matter |
//! | 17 | notifications are hints |

mod compaction;
mod faults;
mod fixture;
mod once;
mod order;
mod reading;
mod refusal;
mod scopes;
mod suite;
mod world;

pub use self::{
    compaction::{p10_compaction_changes_nothing, p10_outcomes_live_as_long_as_any_entry},
    once::{
        p01_atomic_at_every_step, p01_atomic_when_dropped, p01_atomic_when_left_at_every_step, p02_exactly_once,
        p02_keys_apply_once, p02_outcomes_expire, p03_another_content_is_refused, p03_clients_belong_to_their_users,
    },
    order::{
        p04_acknowledgements_are_private, p04_every_mutation_moves_the_cursor, p05_cursor_order_is_commit_order,
        p06_no_holes_in_many_scopes, p07_pages_never_split_a_mutation,
    },
    reading::{
        p08_pages_show_one_place, p08_rows_come_in_the_order_of_bytes, p08_snapshots_are_the_sum_of_the_log,
        p09_cursors_below_the_log, p11_another_history_is_noticed,
    },
    refusal::{
        p12_free_mutators, p12_limits_refuse, p12_no_text_is_special, p12_poison_blocks_nothing,
        p13_batches_stop_where_they_must, p13_calls_may_be_given_up,
    },
    scopes::{
        p14_nothing_deadlocks, p14_several_scopes_are_one_mutation, p15_authorizers_are_asked, p15_closed_unless_opened,
    },
    suite::{PROPERTIES, verify},
    world::{p16_clocks_do_not_matter, p17_notifications_are_hints},
};
