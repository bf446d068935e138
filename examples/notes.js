// The notes, drawn from the rows that this browser holds.
const card = document.querySelector("[data-sync]");
const { MizuSync } = await import(card.dataset.sync);

const sync = new MizuSync({ user: card.dataset.user, poll: 2_000 })
  // What the server's mutators do, as far as it can be foreseen.
  .mutator("note.create", (tx, { id, title }) => tx.put("note", id, { id, title: title.trim(), done: false, made: Date.now() }))
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
  { scope, entity: "note", sort: (a, b) => a.data.made - b.data.made || (a.id < b.id ? -1 : 1) },
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

async function change(name, args) {
  problem.hidden = true;
  const { done } = sync.mutate(name, args, { scope });
  const refused = await done.then(
    ({ status, error }) => (status === "rejected" ? error : undefined),
    (error) => error.message,
  );
  if (refused) {
    problem.textContent = refused;
    problem.hidden = false;
  }
}

sync.on("status", show);
show(sync.status);

function show({ state, pending, stranded, storage }) {
  const words = { offline: "offline", syncing: "online", online: "online", error: "error" };
  const waiting = pending ? `${pending} pending` : "all saved";
  const lost = stranded ? ` · ${stranded} set aside` : "";
  status.textContent = `${words[state]} · ${waiting}${lost}${storage === "memory" ? " · not kept" : ""}`;
  status.dataset.state = state;
  status.dataset.pending = String(pending);
}

await sync.open();
await sync.offline(["/notes"]);
