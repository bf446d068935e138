/**
 * Every name that travels: frame kinds, close codes, error codes, attributes, classes. Nothing else in the runtime
 * spells one of them out, so that a rename happens here and in the server, and nowhere else.
 */

/** Path of the WebSocket endpoint. */
export const LIVE_PATH = "/_live";
/** Subprotocol: binary frames, MessagePack. */
export const SUBPROTOCOL = "mizu.v1";

// Frame kinds. Kinds from APPLICATION on belong to applications.
export const JOIN = 0x01;
export const LEAVE = 0x02;
export const EVENT = 0x03;
export const HEARTBEAT = 0x04;
export const REPLY = 0x05;
export const PATCH = 0x06;
export const COMMAND = 0x07;
export const ERROR = 0x08;
export const REDIRECT = 0x09;
export const CLOSE = 0x0a;
export const POKE = 0x0b;
export const SUBSCRIBE = 0x0c;
export const UNSUBSCRIBE = 0x0d;
export const EPHEMERAL = 0x0e;
export const ACK = 0x10;
export const RESYNC = 0x11;
export const APPLICATION = 0x80;

/** Names for the log, by kind. */
export const KIND_NAMES = "? JOIN LEAVE EVENT HEARTBEAT REPLY PATCH COMMAND ERROR REDIRECT CLOSE POKE SUBSCRIBE UNSUBSCRIBE EPHEMERAL".split(" ");

/** Status of a REPLY that succeeded. */
export const OK = 0;

// How a region of a patch is written.
export const INNER = 0;
export const OUTER = 1;
export const STEPS = 2;
export const STREAM = 3;

// What a step of a region changes.
export const TEXT = 0;
export const ATTRIBUTES = 1;
export const MORPH = 2;
export const CHILDREN = 3;

// What a step of a stream does with its items.
export const APPEND = 0;
export const PREPEND = 1;
export const INSERT = 2;
export const UPSERT = 3;
export const REMOVE = 4;
export const CLEAR = 5;

/** Close codes from here on are terminal: the client doesn't come back by itself. */
export const TERMINAL = 4500;
/** Code with which the client leaves on purpose. */
export const NORMAL = 1000;

// Error codes that the client answers with more than a report.
export const BAD_TOKEN = "bad_token";
export const NOT_A_PAGE = "not_a_page";
export const UNAUTHORIZED = "unauthorized";
export const FORBIDDEN = "forbidden";
export const INTERNAL = "internal";
export const RATE_LIMITED = "rate_limited";
export const PANICKED = "panicked";
export const SESSION_LOST = "session_lost";
export const UNKNOWN_TOPIC = "unknown_topic";
export const MAILBOX_FULL = "mailbox_full";

/** Id of the element that holds a whole page. */
export const ROOT_ID = "lv-root";
/** Id of the form that buttons outside any other form belong to. */
export const FORM_ID = "lv";
/** Field of a native POST that names the event. */
export const EVENT_FIELD = "lv";
/** Field of a native POST that names the session. */
export const TOKEN_FIELD = "lv-token";

/** Marks the root of a page; the value `dev` turns developer notes on. */
export const ROOT = "data-lv";
export const DEV = "dev";
/** Prefix of all attributes: `data-lv-click`, `data-lv-submit`, `data-lv-value-*`, ... */
export const PREFIX = "data-lv-";
export const WINDOW = "window-";
export const AWAY = "click-away";
export const VALUE = "data-lv-value-";
export const SUBMIT = "data-lv-submit";
/** Names a mutation of the local store: what the element does where there is one. */
export const MUTATE = "data-lv-mutate";
export const TARGET = "data-lv-target";
export const KEY = "data-lv-key";
export const DEBOUNCE = "data-lv-debounce";
export const THROTTLE = "data-lv-throttle";
export const PREVENT = "data-lv-prevent";
export const CONFIRM = "data-lv-confirm";
export const DISABLE_WITH = "data-lv-disable-with";
export const IGNORE = "data-lv-ignore";
/** Names attributes of an element that patches leave to the page's own scripts: `data-lv-ignore-attrs="class style"`. */
export const IGNORE_ATTRIBUTES = "data-lv-ignore-attrs";
/** Marks an element whose children are a stream: the server sends them once and keeps none of them. */
export const STREAMED = "data-lv-stream";
/** Names what a script of the page does when the element comes, changes and goes. */
export const HOOK = "data-lv-hook";
/** Marks links to this page under another query, which it turns to without being loaded anew. */
export const PATCH_LINK = "data-lv-patch";
/** A patch link whose address takes the place of the current one in the history. */
export const REPLACE = "data-lv-replace";
/** Inputs that only a browser without scripts needs. */
export const PLAIN = "data-lv-plain";

// Classes of the root.
export const CLASS_CONNECTED = "lv-connected";
export const CLASS_DISCONNECTED = "lv-disconnected";
export const CLASS_LOADING = "lv-loading";
export const CLASS_ERROR = "lv-error";

/**
 * Class of an element whose event waits for its answer: `lv-click-loading`, `lv-submit-loading`, `lv-change-loading`.
 *
 * @param {string} type of the DOM event
 */
export const waitingClass = (type) => `lv-${type === "input" ? "change" : type}-loading`;

/** Id of the note that says why an action was not sent. */
export const NOTE_ID = "lv-note";
/** Prefix of the DOM events that `MizuLive.on` hears: `lv:connected`, `lv:poke`, ... */
export const EVENT_PREFIX = "lv:";
/** One-shot cookie that carries flash messages to the page that is loaded next. */
export const FLASH_COOKIE = "lv-flash";
/** Key of localStorage that turns the log on when it is `1`. */
export const DEBUG_KEY = "mizu:debug";
/** In a join's parameters: the page was just loaded anew because the server asked for that. */
export const FORCED = "forced";
/**
 * In a join's parameters, with the value `1`: this page has a sync client. The server pokes the connection about each scope
 * that the page watches, as if it was subscribed to: first when it begins to watch, without a cursor, as the client can't
 * know how far it is behind; then after each commit, with the cursor. That lasts as long as the page watches the scope on
 * this connection; another join says it again. What is watched was authorised by the page, so nothing is answered.
 */
export const POKES_PARAM = "pokes";
/** In a join's parameters: whose rows the page holds. Where somebody else asks now, the page has to be loaded anew. */
export const USER_PARAM = "user";
/** Of a root that has a local store: whose. */
export const USER = "data-lv-user";
/** Key of sessionStorage that remembers a forced full load. */
export const RELOAD_KEY = "mizu:reload";
/** Where a document keeps the instance of its page. */
export const INSTANCE = Symbol.for("mizu");
