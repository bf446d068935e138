/** A strict content security policy: nothing inline, nothing foreign, and everything works. */
import assert from "node:assert/strict";
import { browser, joined, text, texts, visit } from "./support/browser.mjs";
import { serve } from "./support/server.mjs";
import { becomes } from "./support/wait.mjs";

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'";
/** The examples have an icon. */
const WITH_ICON = `${POLICY}; img-src 'self'`;

const scene = browser();
const counter = serve("counter");
const feed = serve("feed");
const table = serve("table");
const lab = serve("lab");

/** Puts the policy on every document. @param {import("./support/browser.mjs").Context} context */
async function strict(context) {
  // A document that the test serves has no address in the network, which keeps it from sockets of this machine.
  await context.grantPermissions(["local-network-access"]);
  await context.route("**/*", async (route) => {
    if (route.request().resourceType() !== "document" || route.request().method() !== "GET") return route.continue();
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), "content-security-policy": WITH_ICON } });
  });
}

scene("the counter works under it", async ({ context, page }) => {
  await strict(context);
  await visit(page, `${counter.url}/counter`);
  await page.click("#inc");
  await becomes(() => text(page, "#stats"), "Count: 1");
});

scene("the feed works under it", async ({ context, page }) => {
  await strict(context);
  await visit(page, `${feed.url}/feed`);
  await page.fill("input[name=text]", "Calm.");
  await page.keyboard.press("Enter");
  await becomes(async () => (await texts(page, "#feed li"))[0], "Calm.");
});

scene("the table works under it", async ({ context, page }) => {
  await strict(context);
  await visit(page, `${table.url}/table?rows=20`);
  const value = async () => Number(await text(page, "#row-2 td:nth-child(3)"));
  const touched = (await value()) + 1;
  await page.click("#row-2 .touch");
  await becomes(value, touched);
});

scene("a page whose server sends it works, buttons that wait and notes included", async ({ page }) => {
  await visit(page, `${lab.url}/events`);
  assert.equal((await page.reload()).headers()["content-security-policy"], POLICY);
  await joined(page);
  await page.click("#slow");
  await becomes(() => text(page, "#count"), "1");
});

scene("without the script a native post works under it", async ({ page }) => {
  await page.route("**/mizu-live.js", (route) => route.abort());
  await page.goto(`${lab.url}/events`);
  await page.click("#tap");
  await becomes(() => text(page, "#count"), "1");
});

scene("these tests would notice a violation", async ({ page, watch }) => {
  await visit(page, `${lab.url}/events`);
  watch.expect(/Content Security Policy|policy violated: style-src/);
  const violated = await page.evaluate(
    () =>
      new Promise((resolve) => {
        addEventListener("securitypolicyviolation", ({ violatedDirective }) => resolve(violatedDirective));
        document.querySelector("h1").setAttribute("style", "color: red");
      }),
  );
  assert.match(violated, /^style-src/);
});
