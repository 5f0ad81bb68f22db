// Uses the page as a person does, in headless Chromium: node drive.mjs URL [pay token [screenshot folder]]
// Prints each status as it appears, and last a line of JSON: what the page shows and which streams it opened.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [url, buy = "USDC", screenshots] = process.argv.slice(2);
const quiet = ["no-first-run", "disable-quic", "disable-background-networking", "disable-component-update", "disable-sync"];
const names = "host-resolver-rules=MAP *.test 127.0.0.1";
const profile = await mkdtemp(join(tmpdir(), "chromium-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["no-sandbox", "disable-gpu", ...quiet, names].map((flag) => `--${flag}`),
  viewport: { width: 900, height: 900 },
});
const streams = [];
const lastEventIds = [];
const errors = [];

async function listen(page) {
  page.on("request", (request) => request.resourceType() === "eventsource" && streams.push(request.url()));
  page.on("websocket", (socket) => streams.push(socket.url()));
  page.on("pageerror", (error) => errors.push(error.message));
  const network = await browser.newCDPSession(page); // tells the headers that the browser adds by itself
  network.on("Network.requestWillBeSentExtraInfo", ({ headers }) => {
    if (headers["Last-Event-ID"]) lastEventIds.push(headers["Last-Event-ID"]);
  });
  await network.send("Network.enable");
}

async function picture(page, name) {
  if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
}

async function use(page) {
  await page.goto(url);
  const problem = page.locator("#problem:not(:empty)");
  await page.locator("select[name=pay] option").first().or(problem).waitFor({ state: "attached", timeout: 60_000 });
  if (await problem.count()) return;
  await page.selectOption("select[name=buy]", { label: buy });
  await page.getByRole("button", { name: "Submit order" }).click();
  const ended = page.locator("li.confirmed, li.failed");
  for (const status of ["pending", "routing", "building", "submitted"]) {
    await page.locator(`li.${status}`).or(ended).or(problem).first().waitFor({ timeout: 60_000 });
    if (await problem.count()) return;
    console.log(`shown: ${status}`);
  }
  await picture(page, "submitted");
  await page.locator("#state.complete, #state.refused").waitFor({ timeout: 60_000 });
}

try {
  const page = await browser.newPage();
  await listen(page);
  await use(page);
  await picture(page, "end");
  const shown = await page.evaluate(() => ({
    updates: [...document.querySelectorAll("#timeline li")].map((item) => [Number(item.dataset.sequence), item.className]),
    candidates: document.querySelectorAll("#timeline tr").length,
    state: document.getElementById("state").textContent,
    problem: document.getElementById("problem").textContent,
  }));
  console.log(JSON.stringify({ ...shown, streams, lastEventIds, errors }));
} finally {
  await browser.close();
  await rm(profile, { recursive: true, force: true });
}
