/** `mizu dev` in a browser: what is typed is kept, what went wrong is shown, style sheets are exchanged. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { browser, text } from "./support/browser.mjs";
import { becomes, until } from "./support/wait.mjs";

const scene = browser();

const TARGET = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL("../../target", import.meta.url));
const MIZU = join(TARGET, "debug/mizu");
const TINY = new URL("../../cli/tests/support/tiny.rs", import.meta.url);
const MAIN = readFileSync(TINY, "utf8");
const MANIFEST = '[package]\nname = "tiny"\nversion = "0.1.0"\nedition = "2024"\n';

/** The command over a project that is built in a moment. */
class Dev {
  #folder = mkdtempSync(join(tmpdir(), "mizu-dev-"));
  /** @type {import("node:child_process").ChildProcess | undefined} */
  #process;
  #kill = () => this.#process?.kill("SIGTERM");
  output = "";
  url = "";

  async start() {
    if (!existsSync(MIZU)) throw new Error(`${MIZU} is missing; build it with: cargo build -p mizu-cli`);
    for (const folder of ["src", "static"]) mkdirSync(join(this.#folder, folder));
    this.write("Cargo.toml", MANIFEST);
    this.write("static/style.css", "h1 { color: rgb(200, 0, 0) } #far { margin-top: 3000px }");
    cpSync(TINY, join(this.#folder, "src/main.rs"));
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, CARGO_HOME: process.env.CARGO_HOME, RUSTUP_HOME: process.env.RUSTUP_HOME };
    const child = spawn(MIZU, ["dev", "--addr", "127.0.0.1:0"], { cwd: this.#folder, env, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    process.on("exit", this.#kill);
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (this.output += data));
    this.url = await until(() => /http:\/\/[^ ]+/.exec(this.output)?.[0], "it says where it is");
    return this;
  }

  /** @param {string} name @param {string} content */
  write(name, content) {
    writeFileSync(join(this.#folder, name), content);
  }

  /** @param {string} greeting as it stands in the code */
  greet(greeting) {
    this.write("src/main.rs", MAIN.replace('"one"', greeting));
  }

  async stop() {
    process.off("exit", this.#kill);
    const child = this.#process;
    if (child && child.exitCode === null && child.signalCode === null) {
      child.kill("SIGTERM");
      await once(child, "exit");
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** @param {(end: () => unknown) => void} later */
async function start(later) {
  const dev = new Dev();
  later(() => dev.stop());
  return dev.start();
}

/** Goes to the page while it is still being built, and waits until it is there. @param {import("./support/browser.mjs").Page} page @param {Dev} dev */
async function open(page, dev) {
  await page.goto(dev.url);
  await becomes(() => text(page, "body h1"), "one");
}

scene("the page comes by itself after the first build, and again after each", async ({ page, later }) => {
  const dev = await start(later);
  await open(page, dev);
  for (const greeting of ["two", "three"]) {
    dev.greet(JSON.stringify(greeting));
    await becomes(() => text(page, "body h1"), greeting);
  }
});

scene("what was typed, focus, caret and scroll survive", async ({ page, later }) => {
  const dev = await start(later);
  await open(page, dev);
  await page.fill("[name=what]", "half an order");
  await page.fill("[name=why]", "first line\nsecond line");
  await page.check("[name=soon]");
  await page.selectOption("[name=size]", "large");
  await page.locator("[name=what]").evaluate((input) => {
    input.focus();
    input.setSelectionRange(5, 7);
    scrollTo(0, 400);
  });
  await page.context().addInitScript(() => {
    window.inputs = [];
    addEventListener("input", ({ target }) => window.inputs.push(target.name));
  });
  dev.greet('"two"');
  await becomes(() => text(page, "body h1"), "two");
  await becomes(
    () =>
      page.evaluate(() => {
        const { what, why, soon, size } = document.forms[0].elements;
        const caret = [what.selectionStart, what.selectionEnd];
        return [what.value, why.value, soon.checked, size.value, document.activeElement.name, caret, scrollY, window.inputs];
      }),
    ["half an order", "first line\nsecond line", true, "large", "what", [5, 7], 400, ["what", "why", "soon", "size"]],
  );
  await page.reload();
  assert.equal(await page.evaluate(() => sessionStorage.getItem("mizu-dev-kept")), null, "it is put back once");
});

scene("a build that fails is shown over the page, which stays, and goes with the next good one", async ({ page, later }) => {
  const dev = await start(later);
  await open(page, dev);
  await page.fill("[name=what]", "half an order");
  dev.greet("1");
  const overlay = page.locator("mizu-dev .overlay");
  await overlay.waitFor();
  assert.match(await overlay.locator("h1").innerText(), /the build failed/);
  assert.match(await overlay.locator("pre").innerText(), /error\[E0308\]: mismatched types[^]*src\/main\.rs/);
  const colour = await overlay.locator("pre .red").first().evaluate((span) => getComputedStyle(span).color);
  assert.equal(colour, "rgb(245, 141, 154)", "it has the compiler's colours");
  assert.equal(await text(page, "body h1"), "one");
  assert.equal(await page.inputValue("[name=what]"), "half an order");
  await page.keyboard.press("Escape");
  await overlay.waitFor({ state: "hidden" });
  dev.greet("2");
  await overlay.waitFor();
  dev.greet('"fixed"');
  await becomes(() => text(page, "body h1"), "fixed");
  await overlay.waitFor({ state: "hidden" });
  assert.equal(await page.inputValue("[name=what]"), "half an order");
});

scene("a style sheet is exchanged in the page as it is", async ({ page, later }) => {
  const dev = await start(later);
  await open(page, dev);
  const colour = () => page.locator("body h1").evaluate((title) => getComputedStyle(title).color);
  assert.equal(await colour(), "rgb(200, 0, 0)");
  await page.evaluate(() => (window.stamped = true));
  for (const next of ["rgb(0, 120, 0)", "rgb(0, 0, 200)"]) {
    dev.write("static/style.css", `h1 { color: ${next} }`);
    await becomes(colour, next);
  }
  await becomes(() => page.locator("head link[rel=stylesheet]").count(), 1);
  assert.equal(await page.evaluate(() => window.stamped), true, "the page was not loaded anew");
});

scene("a server that ends is told in the page, and comes back with a change", async ({ page, later }) => {
  const dev = await start(later);
  await open(page, dev);
  await page.evaluate(() => fetch("/end").catch(() => {}));
  const overlay = page.locator("mizu-dev .overlay");
  await overlay.waitFor();
  assert.match(await overlay.innerText(), /the server ended with code 7[^]*this is the end/);
  await page.reload();
  await overlay.waitFor();
  assert.match(await text(page, "main h1"), /the server ended with code 7/);
  dev.greet('"back"');
  await becomes(() => text(page, "body h1"), "back");
});
