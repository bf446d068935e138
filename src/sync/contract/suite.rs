//! All properties at once.

use super::{
    p01_atomic_at_every_step, p01_atomic_when_dropped, p01_atomic_when_left_at_every_step, p02_exactly_once,
    p02_keys_apply_once, p02_outcomes_expire, p03_another_content_is_refused, p03_clients_belong_to_their_users,
    p04_acknowledgements_are_private, p04_every_mutation_moves_the_cursor, p05_cursor_order_is_commit_order,
    p06_no_holes_in_many_scopes, p07_pages_never_split_a_mutation, p08_pages_show_one_place,
    p08_rows_come_in_the_order_of_bytes, p08_snapshots_are_the_sum_of_the_log, p09_cursors_below_the_log,
    p10_compaction_changes_nothing, p10_outcomes_live_as_long_as_any_entry, p11_another_history_is_noticed,
    p12_free_mutators, p12_limits_refuse, p12_no_text_is_special, p12_poison_blocks_nothing,
    p13_batches_stop_where_they_must, p13_calls_may_be_given_up, p14_nothing_deadlocks,
    p14_several_scopes_are_one_mutation, p15_authorizers_are_asked, p15_closed_unless_opened, p16_clocks_do_not_matter,
    p17_notifications_are_hints,
};
use crate::sync::store::Store;

macro_rules! properties {
    ($($property:ident),* $(,)?) => {
        /// The names of all properties, for those who run each as a test of its own.
        ///
        /// ```
        /// assert!(mizu::sync::contract::PROPERTIES.contains(&"p02_exactly_once"));
        /// ```
        pub const PROPERTIES: &[&str] = &[$(stringify!($property)),*];

        /// Checks every property of a store. `open` gives a fresh, empty one each time it is called.
        ///
        /// # Panics
        ///
        /// When the store breaks a property, with what it broke.
        ///
        /// ```no_run
        /// use mizu::sync::{MemoryStore, contract};
        ///
        /// # #[tokio::main] async fn main() {
        /// contract::verify(async || MemoryStore::new()).await;
        /// # }
        /// ```
        pub async fn verify<S: Store>(open: impl AsyncFn() -> S) {
            $(Box::pin($property(&open)).await;)*
        }
    };
}

properties! {
    p01_atomic_at_every_step,
    p01_atomic_when_dropped,
    p01_atomic_when_left_at_every_step,
    p02_exactly_once,
    p02_keys_apply_once,
    p02_outcomes_expire,
    p03_another_content_is_refused,
    p03_clients_belong_to_their_users,
    p04_acknowledgements_are_private,
    p04_every_mutation_moves_the_cursor,
    p05_cursor_order_is_commit_order,
    p06_no_holes_in_many_scopes,
    p07_pages_never_split_a_mutation,
    p08_pages_show_one_place,
    p08_rows_come_in_the_order_of_bytes,
    p08_snapshots_are_the_sum_of_the_log,
    p09_cursors_below_the_log,
    p10_compaction_changes_nothing,
    p10_outcomes_live_as_long_as_any_entry,
    p11_another_history_is_noticed,
    p12_free_mutators,
    p12_limits_refuse,
    p12_no_text_is_special,
    p12_poison_blocks_nothing,
    p13_batches_stop_where_they_must,
    p13_calls_may_be_given_up,
    p14_nothing_deadlocks,
    p14_several_scopes_are_one_mutation,
    p15_authorizers_are_asked,
    p15_closed_unless_opened,
    p16_clocks_do_not_matter,
    p17_notifications_are_hints,
}
