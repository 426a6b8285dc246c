// Takes a picture of every room in both themes: `npm run build`, `npm run mock` beside it, then `npm run shots [-- DIRECTORY [FILTER]]`.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const base = process.env.BASE ?? "http://127.0.0.1:8000";
const out = process.argv[2] ?? join(process.env.TMPDIR ?? "/tmp", "pilothouse-shots");
const only = process.argv[3] ?? "";
const logs = "/o/acme/logs?src=prod-eu-1/payments/Deployment/checkout,prod-eu-1/payments/StatefulSet/payments-db&find=pool";
const own = "/o/acme/metrics?board=0193a000-0000-7000-8000-000000000001&in=prod-eu-1&ns=payments";
const PAGES = [
  ["overview", "/o/acme/overview"], ["workloads", "/o/acme/workloads"], ["workloads-peek", "/o/acme/workloads", async (p) => p.keyboard.press("j")], ["workload", "/o/acme/workloads/prod-eu-1/payments/deployment/checkout"],
  ["logs", logs], ["logs-line", logs, async (p) => { await p.locator(".ln").nth(12).click(); await p.keyboard.press("n"); }], ["clusters", "/o/acme/clusters"], ["clusters-peek", "/o/acme/clusters?sel=prod-eu-1"], ["cluster", "/o/acme/clusters/prod-eu-1"],
  ["connect", "/o/acme/clusters/connect"], ["connect-run", "/o/acme/clusters/connect?tier=debug", async (p) => { await p.fill("#name", "prod-ap-2"); await p.keyboard.press("Enter"); await p.waitForTimeout(12_000); }],
  ["metrics", "/o/acme/metrics?q=max%20by%20(pod)%20(k8s_pod_memory_working_set_bytes)&q2=sum%20by%20(code)%20(rate(http_server_requests_total%5B%24rate%5D))", async (p) => { const box = await p.locator(".mch .plot").first().boundingBox(); await p.mouse.move(box.x + box.width * 0.6, box.y + 40); }],
  ["metrics-type", "/o/acme/metrics", async (p) => { await p.locator(".cm-content").click(); await p.keyboard.type("sum(rate(k8s_pod"); await p.waitForTimeout(700); }],
  ["metrics-fault", "/o/acme/metrics?q=sum(rate(up%5B5m%5D)"], ["metrics-names", "/o/acme/metrics"], ["boards", "/o/acme/metrics?tab=boards"], ["board", "/o/acme/metrics?board=namespace-pods&in=prod-eu-1&ns=payments"], ["own-board", own], ["own-board-edit", `${own}&edit=1`, async (p) => { await p.getByRole("button", { name: "Edit Memory of limit" }).click(); await p.waitForTimeout(1500); }], ["own-board-variables", `${own}&edit=1`, async (p) => { await p.keyboard.press("v"); }],
  ["own-board-new", "/o/acme/metrics?board=new"], ["own-board-import", "/o/acme/metrics?tab=boards", async (p) => { await p.getByRole("button", { name: "Import" }).click(); await p.getByRole("textbox", { name: "JSON" }).fill('{"title": "Old", "panels": [{"title": "Heat", "type": "heatmap"}]}'); await p.getByRole("button", { name: "Import", exact: true }).last().click(); }],
  ["traces", "/o/acme/traces", async (p) => { await p.keyboard.press("j"); await p.keyboard.press("j"); }],
  ["trace", "/o/acme/traces?q=status%3Derror", async (p) => { await p.keyboard.press("j"); await p.keyboard.press("Enter"); await p.waitForTimeout(1500); await p.keyboard.press("n"); await p.keyboard.press("n"); await p.keyboard.press("n"); }],
  ["audit", "/o/acme/audit"], ["audit-entry", "/o/acme/audit?sel=18200"], ["palette", "/o/acme/overview", async (p) => { await p.waitForTimeout(500); await p.keyboard.press("Control+k"); await p.waitForTimeout(700); await p.keyboard.type("check"); }],
  ["terminal", "/o/acme/workloads/prod-eu-1/payments/deployment/checkout", async (p) => { await p.keyboard.press("d"); await p.waitForTimeout(1500); await p.keyboard.type("id\r"); }], ["sign-in", "/sign-in"], ["keys", "/o/acme/overview", async (p) => p.keyboard.press("?")],
];
mkdirSync(out, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
for (const theme of (process.env.THEMES ?? "dark,light").split(",")) {
  for (const [name, path, act] of PAGES) {
    if (only !== "" && !new RegExp(only).test(name)) continue;
    const context = await browser.newContext({ viewport: { width: Number(process.env.WIDTH ?? 1440), height: 900 }, ignoreHTTPSErrors: true, storageState: process.env.STATE });
    await context.addInitScript((t) => localStorage.setItem("ph.theme", t), theme);
    const page = await context.newPage();
    page.on("console", (m) => { if (m.type() === "error" || m.type() === "warning") console.log(`${name} ${theme}: ${m.text()}`); });
    page.on("pageerror", (e) => console.log(`${name} ${theme}: ${e.message}`));
    await page.goto(base + path);
    await page.waitForTimeout(1800);
    if (act) await act(page);
    await page.waitForTimeout(700);
    await page.screenshot({ path: join(out, `${name}-${theme}.png`) });
    await context.close();
  }
}
await browser.close();
console.log(out);
