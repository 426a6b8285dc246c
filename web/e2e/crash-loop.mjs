// Sign in by one-time link, see a crash-looping pod as a problem with its quoted cause, follow its log, open a terminal
// in a healthy pod, run `id`, find the audit row. Last, every room is looked at with axe in both themes. URL, LINK, WORKLOAD, QUOTE, LINE, SHELL come from the environment.
import { accessible } from "./access.mjs";
import { inBrowser } from "./browser.mjs";

const { URL: url, LINK: link, WORKLOAD: workload, QUOTE: quote, LINE: line, CLUSTER: cluster, SHELL_POD: shellPod } = process.env;

await inBrowser(async (page, step) => {
  await step("sign in by the one-time link", async () => {
    await page.goto(link);
    await page.getByRole("heading", { name: "Set a password" }).waitFor({ timeout: 20_000 });
    await page.getByLabel("New password, at least 10 characters").fill("a long enough word");
    await page.getByLabel("Once more").fill("a long enough word");
    await page.getByRole("button", { name: "Set password" }).click();
    await page.waitForURL(/\/o\/[^/]+\//, { timeout: 20_000 });
    await page.goto(`${url}/o/main/overview`);
    await page.getByRole("heading", { name: "Problems" }).waitFor({ timeout: 20_000 });
    return page.url();
  });
  await step("the crash loop is a problem with its quoted cause", async () => {
    const row = page.locator(".prob", { hasText: workload });
    await row.getByText(quote).first().waitFor({ timeout: 60_000 });
    return (await row.first().innerText()).replaceAll("\n", " · ").slice(0, 200);
  });
  await step("its log follows", async () => {
    await page.locator(".prob", { hasText: workload }).first().getByRole("button", { name: /^Logs/ }).click();
    await page.getByRole("log").getByText(line).first().waitFor({ timeout: 60_000 });
    return page.url();
  });
  await step("a terminal in a healthy pod", async () => {
    await page.goto(`${url}/o/main/workloads/${cluster}/default/pod/${shellPod}`);
    await page.getByRole("button", { name: /^Terminal/ }).first().click();
    const terminal = page.getByRole("region", { name: `Terminal in ${shellPod}` });
    await terminal.getByText(/audit \d+/).waitFor({ timeout: 30_000 });
    await page.keyboard.type("id\n");
    await terminal.getByText(/uid=\d+/).first().waitFor({ timeout: 30_000 });
    return "uid= seen";
  });
  await step("the audit row", async () => {
    await page.goto(`${url}/o/main/audit?act=exec.open`);
    const row = page.locator('[id^="audit-"]', { hasText: shellPod }).first();
    await row.waitFor({ timeout: 20_000 });
    return (await row.innerText()).replaceAll("\n", " · ");
  });
  await step("every room is accessible in both themes", async () => {
    const rooms = [
      ["sign-in", "/sign-in", ""],
      ["overview", "/o/main/overview", ".prob"],
      ["workloads", "/o/main/workloads", ".vr"],
      ["workload", `/o/main/workloads/${cluster}/default/pod/${shellPod}`, ".hd"],
      ["logs", `/o/main/logs?src=${cluster}/default/Pod/${shellPod}`, ".stay"],
      ["metrics", "/o/main/metrics", ".r-metrics .ed"],
      ["boards", "/o/main/metrics?tab=boards", ".r-metrics"],
      ["traces", "/o/main/traces", ".r-traces"],
      ["clusters", `/o/main/clusters?sel=${cluster}`, "aside"],
      ["cluster", `/o/main/clusters/${cluster}`, ".hd"],
      ["connect", "/o/main/clusters/connect", "#name"],
      ["audit", "/o/main/audit", '[id^="audit-"]'],
    ];
    for (const [room, path, present] of rooms) {
      await page.goto(`${url}${path}`);
      await page.locator(present === "" ? "main" : present).first().waitFor({ timeout: 20_000 });
      await accessible(page, room);
    }
    await page.goto(`${url}/o/main/overview`);
    await page.locator(".prob").first().waitFor({ timeout: 20_000 });
    await page.keyboard.press("Control+k");
    await page.getByRole("dialog").waitFor();
    await accessible(page, "palette");
    return `${rooms.length + 1} rooms`;
  });
});
