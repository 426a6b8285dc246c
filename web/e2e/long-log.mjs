// A long log in a real Chromium, by keyboard alone, against the made-up server: a fast follow is held and stands still, then the log is
// walked from its first line to its last and back. LINES (default 50,000) lines stand before the start, RATE (default 2,000) come each
// second; STRIDE rows are passed at once. Prints frames and heap; fails on a line that is missing, out of order, or above the heap's bound.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { inBrowser } from "./browser.mjs";

const { LINES = "50000", RATE = "2000", STRIDE = "400" } = process.env;
const HEAP_MIB = 300;
const lines = Number(LINES);

const mock = spawn(process.execPath, [fileURLToPath(new URL("../dev/mock/server.mjs", import.meta.url))], { env: { ...process.env, PORT: "0", RATE, HISTORY: LINES }, stdio: ["ignore", "pipe", "inherit"] });
process.on("exit", () => mock.kill());
let url = "";
for await (const text of createInterface({ input: mock.stdout })) {
  url = /http:\S+/.exec(text)?.[0] ?? "";
  if (url !== "") break;
}

/** In the page: numbers of the lines that are drawn, from the cursors that the made-up server gives them. */
const helpers = () => {
  const number = (key) => {
    const text = atob(key.slice(4).replaceAll("-", "+").replaceAll("_", "/"));
    let n = 0;
    for (let i = 36; i < 44; i += 1) n = n * 256 + text.charCodeAt(i);
    return n;
  };
  window.drawnLines = () => {
    const box = document.querySelector('[role="log"]')?.getBoundingClientRect();
    return [...document.querySelectorAll("[data-line]")].map((e) => ({ n: number(e.dataset.line), y: Math.round(e.getBoundingClientRect().top - (box?.top ?? 0)) })).filter((l) => l.y > -20 && l.y < (box?.height ?? 0));
  };
  window.frame = () => new Promise((done) => requestAnimationFrame(done));
  /** Walks by `rows` of 20 px until the words at the foot say that the end is reached; returns first, last, and what was wrong. */
  window.walk = async (rows, stop) => {
    const box = document.querySelector('[role="log"]');
    let [first, last, wrong, still] = [Infinity, -Infinity, "", 0];
    for (let at = -1; still < 400; ) {
      box.scrollTop += rows * 20;
      await window.frame();
      const seen = window.drawnLines();
      for (let i = 1; i < seen.length; i += 1) if (seen[i].n !== seen[i - 1].n + 1) wrong ||= `after line ${seen[i - 1].n} stands ${seen[i].n}`;
      // A jump beyond what was drawn shows nothing for a frame.
      if (seen.length === 0) continue;
      const head = seen[0].n;
      if (rows > 0 ? head < at : at >= 0 && head > at + 60) wrong ||= `line ${head} came after ${at}`;
      still = head === at ? still + 1 : 0;
      at = head;
      first = Math.min(first, head);
      last = Math.max(last, seen.at(-1).n);
      if (rows > 0 ? last >= stop : first <= stop) break;
    }
    return { first, last, wrong };
  };
};

await inBrowser(async (page, step) => {
  await page.addInitScript(helpers);
  const devtools = await page.context().newCDPSession(page);
  const heapMiB = async () => {
    await devtools.send("HeapProfiler.collectGarbage");
    return (await devtools.send("Runtime.getHeapUsage")).usedSize / 1048576;
  };
  const log = page.getByRole("log");
  const foot = page.locator(".stay");
  const fits = (heap) => { if (heap > HEAP_MIB) throw new Error(`the heap holds ${heap.toFixed(0)} MiB, more than ${HEAP_MIB}`); };

  await step("a fast log is followed", async () => {
    await page.goto(`${url}/o/acme/logs?src=prod-eu-1/payments&fold=off`);
    await foot.getByText("Following").waitFor({ timeout: 30_000 });
    await page.waitForFunction(() => window.drawnLines().length > 20, undefined, { timeout: 30_000 });
    const begun = await page.evaluate(() => window.drawnLines().at(-1)?.n ?? 0);
    const frames = await page.evaluate(async (until) => {
      const took = [];
      // Asking where lines stand is dear: once in a while is enough.
      for (let then = await window.frame(); took.length % 60 !== 0 || (window.drawnLines().at(-1)?.n ?? 0) < until; ) {
        const now = await window.frame();
        took.push(now - then);
        then = now;
      }
      return took;
    }, begun + 4 * Number(RATE));
    return `${(frames.length * 1000 / frames.reduce((a, b) => a + b, 0)).toFixed(1)} frames a second at ${RATE} lines a second, heap ${(await heapMiB()).toFixed(0)} MiB`;
  });

  await step("held, it stands still while more comes", async () => {
    await page.keyboard.press("f");
    await foot.getByText("Held").waitFor();
    const before = JSON.stringify(await page.evaluate(() => window.drawnLines()));
    await page.waitForFunction((most) => Number((/([\d,]+) newer lines/.exec(document.querySelector(".stay")?.textContent ?? "")?.[1] ?? "0").replaceAll(",", "")) > most, 3 * Number(RATE), { timeout: 60_000 });
    const after = JSON.stringify(await page.evaluate(() => window.drawnLines()));
    if (before !== after) throw new Error(`what was held moved:\n${before}\n${after}`);
    return await foot.innerText().then((t) => t.replaceAll("\n", " "));
  });

  await step("the keys reach the first line", async () => {
    // The tree of sources is one stop of the tab key; arrows move within it.
    const tree = page.getByRole("tree", { name: "Sources" });
    await tree.locator('[tabindex="0"]').focus();
    const at = () => page.evaluate(() => document.activeElement?.getAttribute("title"));
    const first = await at();
    await page.keyboard.press("ArrowUp");
    const above = await at();
    await page.keyboard.press("ArrowDown");
    if (first === above || (await at()) !== first) throw new Error(`arrows went from ${first} to ${above} and to ${await at()}`);
    await page.keyboard.press("Tab");
    if (await tree.evaluate((t) => t.contains(document.activeElement))) throw new Error("the tab key stays in the tree");
    for (let i = 0; i < 200 && !(await foot.getByRole("button", { name: "Start" }).evaluate((b) => b === document.activeElement)); i += 1) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => window.drawnLines()[0]?.n === 0, undefined, { timeout: 30_000 });
    for (let i = 0; i < 200 && !(await log.evaluate((b) => b === document.activeElement)); i += 1) await page.keyboard.press("Shift+Tab");
    const seen = new Set();
    for (let i = 0; i < 30; i += 1) {
      await page.keyboard.press("PageDown");
      for (const { n } of await page.evaluate(async () => { await window.frame(); await window.frame(); return window.drawnLines(); })) seen.add(n);
    }
    const last = Math.max(...seen);
    if (last < 300) throw new Error(`thirty pages down lead to line ${last} only`);
    return `line ${last}`;
  });

  await step("the whole log is walked down", async () => {
    const { last, wrong } = await page.evaluate(([rows, stop]) => window.walk(rows, stop), [Number(STRIDE), lines]);
    if (wrong !== "") throw new Error(wrong);
    if (last < lines) throw new Error(`the walk ended at line ${last} of ${lines}`);
    const heap = await heapMiB();
    fits(heap);
    return `to line ${last}, heap ${heap.toFixed(0)} MiB`;
  });

  await step("and up again", async () => {
    const { first, wrong } = await page.evaluate(([rows]) => window.walk(-rows, 0), [Number(STRIDE)]);
    if (wrong !== "") throw new Error(wrong);
    if (first !== 0) throw new Error(`the walk ended at line ${first}`);
    const heap = await heapMiB();
    fits(heap);
    return `to line ${first}, heap ${heap.toFixed(0)} MiB`;
  });
});
mock.kill();
