// A real Chromium for the end-to-end tests. Each step says what it saw; the first that fails ends with a picture and exit 1.
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { chromium } from "playwright-core";

const ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** Runs `story(page, step)` in a fresh browser. `PICTURES` names the directory for pictures. */
export async function inBrowser(story) {
  const pictures = process.env.PICTURES ?? ".";
  mkdirSync(pictures, { recursive: true });
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGS });
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ignoreHTTPSErrors: true });
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (e) => faults.push(`page error: ${e.message}`));
  let n = 0;
  const step = async (what, act) => {
    n += 1;
    try {
      const saw = await act();
      console.log(`${n}. ${what}${saw ? `: ${saw}` : ""}`);
      await page.screenshot({ path: join(pictures, `${String(n).padStart(2, "0")}-${what.replaceAll(/[^a-z]+/gi, "-")}.png`) });
    } catch (e) {
      await page.screenshot({ path: join(pictures, "failed.png") }).catch(() => undefined);
      console.error(`step ${n} failed: ${what}\n${e instanceof Error ? e.message : String(e)}\n${faults.join("\n")}\npicture: ${join(pictures, "failed.png")}`);
      await browser.close();
      process.exit(1);
    }
  };
  await story(page, step);
  await browser.close();
  if (faults.length > 0) {
    console.error(faults.join("\n"));
    process.exit(1);
  }
}
