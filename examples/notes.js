// The notes, drawn from the rows that this browser holds.
const card = document.querySelector("[data-sync]");
const [{ MizuSync }, { MizuLive }] = await Promise.all([import(card.dataset.sync), import(card.dataset.live)]);

const sync = new MizuSync({ user: card.dataset.user })
  // What the server's mutators do, as far as it can be foreseen.
  .mutator("note.create", (tx, { id, title }) => {
    const last = Math.max(0, ...tx.scan("note").map(({ data }) => data.place));
    tx.put("note", id, { id, title: title.trim(), done: false, place: last + 1 });
  })
  .mutator("note.toggle", (tx, { id, done }) => {
    const note = tx.get("note", id);
    if (note) tx.put("note", id, { ...note, done });
  })
  .mutator("note.delete", (tx, { id }) => tx.delete("note", id));

const scope = "notes";
const list = document.querySelector("#notes");
const template = document.querySelector("template#note");
const status = document.querySelector("#sync-status");
const problem = document.querySelector("#problem");

sync.subscribe(
  { scope, entity: "note", sort: (a, b) => a.data.place - b.data.place },
  (rows, { synced }) => {
    // Until this browser has rows of its own, those that the server rendered stay.
    if (!synced && !rows.length) return;
    const old = new Map([...list.children].map((item) => [item.dataset.id, item]));
    let place = list.firstElementChild;
    for (const { id, data, pending } of rows) {
      const item = old.get(id) ?? template.content.firstElementChild.cloneNode(true);
      old.delete(id);
      fill(item, data, pending);
      if (item === place) place = place.nextElementSibling;
      else list.insertBefore(item, place);
    }
    for (const item of old.values()) item.remove();
  },
);

function fill(item, { id, title, done }, pending) {
  item.dataset.id = item.querySelector("[name=id]").value = id;
  item.querySelector("[name=done]").value = String(!done);
  item.querySelector(".toggle").setAttribute("aria-pressed", String(done));
  item.querySelector(".title").textContent = title;
  item.toggleAttribute("data-done", done);
  item.toggleAttribute("data-pending", pending);
}

// The forms that work without scripts, taken over.
document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  const action = submitter?.value ?? "create";
  const { id, title, done } = Object.fromEntries(new FormData(form));
  event.preventDefault();
  if (action === "create") {
    if (!title.trim()) return;
    change("note.create", { id: crypto.randomUUID(), title });
    form.reset();
  }
  if (action === "toggle") change("note.toggle", { id, done: done === "true" });
  if (action === "delete") change("note.delete", { id });
});

function change(name, args) {
  problem.hidden = true;
  sync.mutate(name, args, { scope });
}

// What could not be kept or done, be it of a page that is closed by now.
const sorry = { storage: "This browser keeps nothing for this page.", storage_full: "This browser has no room left for this page." };
sync.on("error", ({ code, message }) => complain(sorry[code] ?? message));
sync.on("settled", ({ status, error }) => status === "rejected" && complain(error));

function complain(text) {
  problem.textContent = text;
  problem.hidden = false;
}

// What is set aside is for the person to decide.
const replay = document.querySelector("#replay");
const discard = document.querySelector("#discard");
replay.onclick = () => sync.replay();
discard.onclick = () => sync.discard();

sync.on("status", show);
show(sync.status);

function show({ state, pending, stranded, storage }) {
  // An attempt tells nothing before it has come to an end.
  if (state !== "syncing") status.dataset.state = state;
  const waiting = pending ? `${pending} pending` : "all saved";
  const lost = stranded ? ` · ${stranded} set aside` : "";
  status.textContent = `${status.dataset.state} · ${waiting}${lost}${storage === "memory" ? " · not kept" : ""}`;
  status.dataset.pending = String(pending);
  replay.hidden = discard.hidden = !stranded;
}

await sync.open();
// The server says when somebody else has changed something.
new MizuLive({ scopes: scope, sync }).connect();
await sync.offline(["/notes"]);
