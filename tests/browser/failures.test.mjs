/** Pages that panic, sessions that are refused, users who are signed out. */
import assert from "node:assert/strict";
import { JOIN } from "../../runtime-js/src/constants.js";
import { browser, frames, heard, joined, parted, stamp, text, visit } from "./support/browser.mjs";
import { Proxy } from "./support/proxy.mjs";
import { serve } from "./support/server.mjs";
import { becomes, until } from "./support/wait.mjs";

const scene = browser();
const lab = serve("lab");

/** Signs somebody in. @param {import("./support/browser.mjs").Context} context @param {string} name */
function signIn(context, name) {
  return context.addCookies([{ name: "user", value: name, url: lab.url }]);
}

/** The connection is made anew, with the cookies of now. @param {import("./support/browser.mjs").Page} page @param {Proxy} proxy */
async function reconnect(page, proxy) {
  proxy.cut();
  await parted(page);
  proxy.restore();
}

scene("a page that panics once comes back fresh, without a reload", async ({ context, page }) => {
  const other = await context.newPage();
  for (const tab of [page, other]) await visit(tab, `${lab.url}/fragile`);
  const same = await stamp(page);
  for (const tab of [other, page]) {
    await tab.bringToFront();
    await tab.click("#inc");
    await becomes(() => text(tab, "#count"), "1");
  }
  await page.fill("#unsent", "half a sentence");
  await page.click("#boom");
  await becomes(() => text(page, "#count"), "0");
  await joined(page);
  assert.equal((await heard(page, "error"))[0].code, "panicked");
  await page.click("#inc");
  await becomes(() => text(page, "#count"), "1");
  assert.equal(await page.inputValue("#unsent"), "half a sentence");
  await same();
  await other.bringToFront();
  await other.click("#inc");
  await becomes(() => text(other, "#count"), "2");
});

scene("a page that always panics is given up after a few tries, visibly", async ({ page }) => {
  const mounted = async () => Number(await (await fetch(`${lab.url}/counts/broken`)).text());
  // The pauses between the tries double; the page's clock runs ahead of the world's.
  await page.clock.install();
  await page.goto(`${lab.url}/broken`);
  const stopped = async () => {
    await page.clock.runFor(250);
    return (await heard(page, "error")).find(({ stopped }) => stopped);
  };
  const { code } = await until(stopped, "the end of the trying");
  assert.equal(code, "panicked");
  assert.match(await page.getAttribute("#lv-root", "class"), /lv-error/);
  const joins = frames(page).filter(({ way, kind }) => way === "sent" && kind === JOIN).length;
  assert.ok(joins >= 2 && joins <= 10, `${joins} joins`);
  assert.equal(await mounted(), joins, "the GET's session was adopted by the first join, each other join mounted one");
  assert.equal(await text(page, "h1"), "Broken", "the page still shows what it showed");
});

scene("a page that panics without scripts is answered with status 500, and works when asked for anew", async ({ page }) => {
  await page.route("**/mizu-live.js", (route) => route.abort());
  await page.goto(`${lab.url}/fragile`);
  const [response] = await Promise.all([page.waitForNavigation(), page.click("#boom")]);
  assert.equal(response.status(), 500);
  await page.goto(`${lab.url}/fragile`);
  await page.click("#inc");
  await becomes(() => text(page, "#count"), "1");
});

scene("a page behind a login is reached by signing in, and shows who that is", async ({ page }) => {
  await page.goto(`${lab.url}/private`);
  assert.equal(await text(page, "h1"), "Sign in");
  await page.click("button");
  await joined(page);
  assert.equal(await text(page, "h1"), "Hello, ann");
  await page.click("#inc");
  await becomes(() => text(page, "#count"), "1");
});

scene("a page whose user was signed out leads to the login when it joins again", async ({ context, page, later }) => {
  const proxy = await Proxy.open(lab);
  later(() => proxy.close());
  await signIn(context, "ann");
  await visit(page, `${proxy.url}/private`);
  await page.click("#inc");
  await becomes(() => text(page, "#count"), "1");
  await context.clearCookies();
  await reconnect(page, proxy);
  await page.waitForURL("**/login");
  assert.equal(await text(page, "h1"), "Sign in");
});

scene("another user never gets the session of the first", async ({ context, page, later }) => {
  const proxy = await Proxy.open(lab);
  later(() => proxy.close());
  await signIn(context, "ann");
  await visit(page, `${proxy.url}/private`);
  await page.click("#inc");
  await becomes(() => text(page, "#count"), "1");
  await signIn(context, "ben");
  await reconnect(page, proxy);
  await becomes(() => text(page, "h1"), "Hello, ben");
  assert.equal(await text(page, "#count"), "0");
});

scene("a page whose user is refused from now on shows the refusal, once", async ({ context, page, later }) => {
  const proxy = await Proxy.open(lab);
  later(() => proxy.close());
  await signIn(context, "ann");
  await visit(page, `${proxy.url}/members`);
  await context.clearCookies();
  let loads = 0;
  page.on("response", (response) => (loads += response.status() === 401 && response.request().isNavigationRequest() ? 1 : 0));
  await reconnect(page, proxy);
  await becomes(() => text(page, "h1"), "Unauthorized");
  assert.equal(loads, 1);
});

scene("a page that is refused although its HTML is served is not loaded in a circle", async ({ context, page }) => {
  await signIn(context, "ann");
  // The HTML comes from somewhere that knows the user; the socket's request does not carry the cookie.
  await context.grantPermissions(["local-network-access"]);
  const html = await (await fetch(`${lab.url}/members`, { headers: { cookie: "user=ann" } })).text();
  await context.clearCookies();
  let loads = 0;
  await context.route("**/members", (route) => {
    loads++;
    return route.fulfill({ contentType: "text/html; charset=utf-8", body: html });
  });
  await page.goto(`${lab.url}/members`);
  await until(async () => (await heard(page, "error")).find(({ stopped }) => stopped), "the end of the trying");
  assert.equal(loads, 2, "loaded anew once, and then no more");
});
