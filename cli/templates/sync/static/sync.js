// The browser's half of the sync engine: shows how it stands, and takes in what is added while the server is away.
const status = document.querySelector("#sync-status");
const { module, scope } = status.dataset;
const { MizuSync } = await import(module);

const sync = new MizuSync({ poll: 5_000 }).entity("todo");
sync.on("status", show);
sync.subscribe({ scope, entity: "todo" }, () => {});
// What the server refuses later is said where everything else about sync is.
sync.on("settled", ({ status: settled, error }) => settled === "rejected" && say("error", error));
show(sync.status);

function show({ state, pending, stranded }) {
  // An attempt tells nothing before it has come to an end.
  if (state === "syncing") return;
  const names = { online: "in sync", offline: "offline", error: "sync failed" };
  const waiting = pending ? `, ${pending} to be sent` : "";
  const aside = stranded ? `, ${stranded} set aside` : "";
  say(state, names[state] + waiting + aside);
}

function say(state, text) {
  status.dataset.state = state;
  status.textContent = text;
  status.hidden = false;
}

// The page could not send this form: the store keeps it and sends it when the server is back. The page shows it then.
document.addEventListener("lv:refused", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || form.id !== "new-todo") return;
  const title = new FormData(form).get("title").trim();
  if (!title) return;
  event.preventDefault();
  sync.mutate("todo.create", { id: timeId(), title, done: false }, { scope });
  form.reset();
});

// A UUID of version 7, as the server makes them: ids that grow with time.
function timeId() {
  const millis = Date.now().toString(16).padStart(12, "0");
  return `${millis.slice(0, 8)}-${millis.slice(8)}-7${crypto.randomUUID().slice(15)}`;
}

await sync.open();
