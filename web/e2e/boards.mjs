// Own boards in a real Chromium against the made-up server: a panel is moved by mouse and by keyboard, a query is written with its fault and
// its answer beside it, a reload keeps what is not saved, saving stores it; axe looks at the list, the board and both editors in both themes.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { accessible } from "./access.mjs";
import { inBrowser } from "./browser.mjs";

const mock = spawn(process.execPath, [fileURLToPath(new URL("../dev/mock/server.mjs", import.meta.url))], { env: { ...process.env, PORT: "0" }, stdio: ["ignore", "pipe", "inherit"] });
process.on("exit", () => mock.kill());
let url = "";
for await (const text of createInterface({ input: mock.stdout })) {
  url = /http:\S+/.exec(text)?.[0] ?? "";
  if (url !== "") break;
}
const check = (right, what) => { if (!right) throw new Error(what); };

await inBrowser(async (page, step) => {
  page.on("dialog", (d) => void d.accept());
  const titles = () => page.locator(".cell12 .ttl").allTextContents();
  await step("find the board in the list", async () => {
    await page.goto(`${url}/o/acme/metrics?tab=boards`);
    await page.getByRole("link", { name: /Payments/ }).waitFor({ timeout: 20_000 });
    await accessible(page, "boards");
    await page.keyboard.press("/");
    await page.keyboard.type("paym");
    await page.getByRole("link", { name: /Payments/ }).click();
    await page.locator(".cell12").first().waitFor();
    await page.locator(".own-lines canvas").first().waitFor();
    await accessible(page, "own board");
    return `${(await titles()).length} panels`;
  });
  await step("move a panel with the mouse, and another with the keys", async () => {
    await page.keyboard.press("e");
    await page.getByRole("button", { name: /^Move Pods,/ }).dragTo(page.locator(".cell12").filter({ hasText: "Requests by pod" }));
    await page.getByRole("button", { name: /^Move Pods, 9 of 12/ }).waitFor();
    await page.getByRole("button", { name: /^Move Memory of limit/ }).focus();
    await page.keyboard.press("ArrowLeft");
    await page.getByRole("button", { name: /^Move Memory of limit, 7 of 12/ }).waitFor();
    await page.waitForFunction(() => /^Move Memory of limit/.test(document.activeElement?.getAttribute("aria-label") ?? ""));
    await page.keyboard.press("Shift+ArrowRight");
    check((await page.locator(".cell12").nth(6).evaluate((e) => e.style.getPropertyValue("--w"))) === "8", "the panel is not wider");
    return (await titles()).slice(6, 9).join(", ");
  });
  await step("write a query with its fault and its answer beside it", async () => {
    await page.getByRole("button", { name: "Panel", exact: true }).click();
    const drawer = page.getByRole("complementary", { name: /^Edit panel/ });
    await drawer.getByLabel("Title").fill("Memory by pod");
    await drawer.locator(".cm-content").click();
    await page.keyboard.type("sum by (pod) (k8s_pod_memory_working_set_bytes");
    await page.keyboard.press("Delete");
    await drawer.getByRole("alert").waitFor();
    await accessible(page, "panel editor");
    await page.keyboard.type(")");
    await drawer.getByRole("status").filter({ hasText: "10 series" }).waitFor();
    await drawer.getByRole("button", { name: "Bars" }).click();
    await page.getByRole("list", { name: "Memory by pod" }).waitFor();
    return "10 series as bars";
  });
  await step("a reload keeps what is not saved", async () => {
    await page.reload();
    await page.getByText("editing, not saved").waitFor();
    await page.getByRole("button", { name: /^Move Memory by pod, 13 of 13/ }).waitFor();
    await page.keyboard.press("v");
    await page.getByRole("complementary", { name: "Edit board" }).waitFor();
    await accessible(page, "board editor");
    return (await titles()).at(-1);
  });
  await step("save, and find it so after another reload", async () => {
    await page.keyboard.press("Control+s");
    await page.getByText("version 8", { exact: true }).waitFor();
    await page.reload();
    await page.locator(".cell12").last().scrollIntoViewIfNeeded();
    await page.getByRole("list", { name: "Memory by pod" }).waitFor();
    check(!page.url().includes("edit"), page.url());
    return page.url();
  });
});
mock.kill();
