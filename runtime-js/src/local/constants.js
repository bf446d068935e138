/** Attributes that the server and the templates of a page share with this script. */

// Of the root.
export const SYNC = "data-lv-sync";
export const OFFLINE = "data-lv-offline";

// Of a row's template.
export const ROW = "data-lv-row";
export const INTO = "data-lv-into";
export const SCOPE = "data-lv-scope";
export const SLOTS = "data-lv-slots";
export const FLAGS = "data-lv-flags";
/** The character of the first slot; the following ones are the next. */
export const FIRST_SLOT = 0xf0000;

/** Of a container: where new rows go, `start` or (without it) the end. */
export const ROWS_AT = "data-lv-rows-at";
/** Of a row that the server has not confirmed. */
export const PENDING = "data-pending";
/** Of a row that only this browser has drawn. The server's row has none, so a patch that brings it removes this. */
export const DRAWN = "data-lv-drawn";
/** Classes of an element whose mutation is not settled. */
export const OPTIMISTIC = "data-lv-optimistic";

export const STATUS = "data-lv-sync-status";
export const PROBLEM = "data-lv-sync-problem";
export const COUNT = "data-lv-count";
export const COUNT_WHERE = "data-lv-count-where";
/** The DOM event of a mutation that the server refused. */
export const REJECTED = "lv:rejected";
