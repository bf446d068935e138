/**
 * Every name that travels or is stored: paths, statuses, codes, stores, messages between tabs. Nothing else in this
 * folder spells one of them out, so that a rename happens here and in the server, and nowhere else.
 */

/** Where the server listens for push, pull and snapshot. */
export const BASE_PATH = "/_sync";
export const PUSH = "push";
export const PULL = "pull";
export const SNAPSHOT = "snapshot";

// Operations of a pull.
export const DELETE = "delete";
export const ACK = "ack";

// Statuses of a mutation. The last one is the client's own.
export const APPLIED = "applied";
export const REJECTED = "rejected";
export const EXPIRED = "expired";
export const STRANDED = "stranded";

// Codes of refused requests that the client answers with more than a report.
export const GAP = "gap";
export const CLIENT_UNKNOWN = "client_unknown";
export const SEQ_REUSED = "seq_reused";
export const CLIENT_FOREIGN = "client_foreign";
export const UNAUTHORIZED = "unauthorized";
export const OTHER_USER = "other_user";
export const SCOPE_FORBIDDEN = "scope_forbidden";
export const CURSOR_TOO_OLD = "cursor_too_old";
export const EPOCH_CHANGED = "epoch_changed";

// Codes that the client gives by itself.
export const OFFLINE = "offline";
export const TIMEOUT = "timeout";
export const BAD_ANSWER = "bad_answer";
export const INVALID = "invalid";
export const TOO_LARGE = "too_large";
export const CLOSED = "closed";
export const STORAGE = "storage";
export const STORAGE_FULL = "storage_full";

/** The state when nothing follows any more. */
export const ENDED = "ended";

/** Mutations that one push takes at most. */
export const PUSH_LIMIT = 100;
/** Bytes that the arguments of one mutation may have. */
export const ARGS_BYTES = 65_536;
/** Changes that are asked for at once. */
export const PAGE = 1_000;

// Object stores of the database.
export const ROWS = "rows";
export const SCOPES = "scopes";
export const QUEUE = "queue";
export const META = "meta";
/** What their records are found by. @type {Record<string, string | string[]>} */
export const KEYS = { [ROWS]: ["scope", "entity", "id"], [SCOPES]: "scope", [QUEUE]: "order", [META]: "key" };

// Messages between the tabs of one user.
export const CHANGED = 1;
export const WAKE = 2;
export const WANT = 3;
export const LEAD = 4;
export const STATUS = 5;
export const SIGNED_OUT = 6;

/** Where the server has the service worker. */
export const WORKER_PATH = "/_mizu/offline.js";
/** Caches of the service worker begin with this. */
export const CACHE_PREFIX = "mizu-";
