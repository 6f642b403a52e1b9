// Drives the page in Chromium. Usage: node page.mjs URL KEY CHROMIUM
// Each step throws when the page does not do what a person would expect.
import assert from "node:assert/strict";
import { readFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [home, key, executablePath] = process.argv.slice(2);
const url = `${home}?app=shop`;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const screenshots = "../../target/browser";
const WAIT = { timeout: 40_000 };
mkdirSync(screenshots, { recursive: true });

const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

// A window that notes what must not happen: errors in the console, and requests to anywhere else.
async function open(options = {}) {
  const context = await browser.newContext({ httpCredentials: { username: "me", password: key }, ...options });
  const page = await context.newPage();
  page.problems = [];
  page.on("console", (message) => message.type() === "error" && page.problems.push(message.text()));
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("request", (request) => request.url().startsWith(home) || page.problems.push(`a request to ${request.url()}`));
  return page;
}

async function close(page) {
  assert.deepEqual(page.problems, []);
  await page.context().close();
}

// A phone makes its window wider when the page is: the width that it was given counts.
async function fits(page, name) {
  const overflow = (await page.evaluate(() => document.documentElement.scrollWidth)) - page.viewportSize().width;
  assert.ok(overflow <= 0, `${name} is ${overflow} px too wide`);
}

async function accessible(name, options = {}, at = url) {
  // The policy of the page would keep the script of axe out.
  const page = await open({ bypassCSP: true, ...options });
  await page.goto(at);
  for (const details of await page.locator("details").all()) await details.evaluate((element) => (element.open = true));
  await page.screenshot({ path: `${screenshots}/${name}.png`, fullPage: true });
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
  assert.deepEqual(found, [], `axe, ${name}`);
  await fits(page, name);
  // Without the policy, the browser asks for an icon. The other steps see to errors.
  await page.context().close();
}

const steps = {
  async "without the key, nothing is shown"() {
    const page = await open({ httpCredentials: undefined });
    const response = await page.request.get(url);
    assert.equal(response.status(), 401);
    assert.match(response.headers()["www-authenticate"], /^Basic /);
    assert.ok(!(await response.text()).includes("shop"));
    await close(page);
  },

  async "of two apps each has a line, which leads to its page"() {
    const page = await open();
    await page.goto(home);
    await page.locator("#apps li", { hasText: "shop: 2 of 3 watched dynos up" }).waitFor(WAIT);
    await page.getByRole("link", { name: "blog" }).click();
    await page.locator("#now-blog").waitFor(WAIT);
    await page.getByRole("link", { name: "All apps" }).click();
    await page.getByRole("link", { name: "shop" }).click();
    await page.locator("#now-shop").waitFor(WAIT);
    await close(page);
  },

  async "the first sentence says how things are"() {
    const page = await open();
    await page.goto(url);
    await page.locator("#summary", { hasText: "dynos of shop are not up" }).waitFor(WAIT);
    await page.locator("#now-shop", { hasText: "web.3" }).waitFor(WAIT);
    await close(page);
  },

  async "a dry run without scripts restarts nothing"() {
    const page = await open({ javaScriptEnabled: false });
    await page.goto(url);
    await page.getByRole("button", { name: "Dry run of shop" }).click();
    const result = page.getByRole("status", { name: "Dry run" });
    await result.getByText("nothing was restarted").waitFor(WAIT);
    await result.getByText("web.1: would be restarted").waitFor(WAIT);
    await result.getByText("web.3: left alone").waitFor(WAIT);
    await page.getByRole("link", { name: "Back" }).click();
    await page.getByText("No pass since the start").first().waitFor(WAIT);
    await close(page);
  },

  async "a restart by keyboard alone, and its result appears without a reload"() {
    const page = await open();
    await page.goto(url);
    const button = page.getByRole("button", { name: "Restart now shop" });
    for (let presses = 0; !(await button.evaluate((element) => element === document.activeElement)); presses += 1) {
      assert.ok(presses < 30, "the button cannot be reached with Tab");
      await page.keyboard.press("Tab");
    }
    const outline = await button.evaluate((element) => getComputedStyle(element).outlineStyle);
    assert.notEqual(outline, "none", "the focus cannot be seen");
    await page.keyboard.press("Enter");
    await page.getByText("A restart of shop was asked for").waitFor(WAIT);
    await page.evaluate(() => (window.isSamePage = true));
    const pass = page.locator("#past-shop details", { hasText: "2 restarted" });
    await pass.waitFor(WAIT);
    await pass.locator("summary").focus();
    await page.keyboard.press("Enter");
    await pass.getByText("web.1: restarted, up again after").waitFor(WAIT);
    await pass.getByText("web.3: left alone").waitFor(WAIT);
    assert.ok(await page.evaluate(() => window.isSamePage), "the page was loaded again");
    await close(page);
  },

  async "an open pass stays open, and the reader's place stays, when the page refreshes itself"() {
    const page = await open({ viewport: { width: 700, height: 300 } });
    await page.goto(url);
    await page.locator("#past-shop details summary").first().click();
    const place = () =>
      page.locator("#past-shop details").first().evaluate((element) => Math.round(element.getBoundingClientRect().top));
    const [before, clock] = [await place(), await page.locator("#clock").textContent()];
    await page.waitForFunction((clock) => document.querySelector("#clock").textContent !== clock, clock, WAIT);
    assert.equal(await place(), before);
    assert.ok(await page.locator("#past-shop details").first().evaluate((element) => element.open));
    await close(page);
  },

  async "a reader's own clock"() {
    const page = await open();
    await page.goto(url);
    await page.getByLabel("Your clock").selectOption({ label: "UTC+05:30" });
    await page.getByRole("button", { name: "Show my time" }).click();
    await page.getByText("Times are in UTC+05:30.").waitFor(WAIT);
    await close(page);
  },

  async "axe finds nothing, in light, dark and on a phone"() {
    await accessible("light", { colorScheme: "light" });
    await accessible("dark", { colorScheme: "dark" });
    await accessible("phone", { colorScheme: "light", viewport: { width: 360, height: 740 }, isMobile: true });
    await accessible("apps", { colorScheme: "light" }, home);
  },

  async "on a phone, the picture begins at the newest hour, and the names are there"() {
    const page = await open({ viewport: { width: 360, height: 740 }, isMobile: true });
    await page.goto(url);
    const name = page.locator("#day-shop .name").first();
    await name.waitFor(WAIT);
    const box = await name.boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 360, `the name is at ${box.x}`);
    await page.locator("meter").first().waitFor(WAIT);
    await fits(page, "with memory, it");
    await close(page);
  },
};

try {
  for (const [name, step] of Object.entries(steps)) {
    await step();
    console.log(`ok: ${name}`);
  }
} finally {
  await browser.close();
}
