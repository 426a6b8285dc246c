// Sign in by one-time link, see a crash-looping pod as a problem with its quoted cause, follow its log, open a terminal
// in a healthy pod, run `id`, find the audit row. URL, LINK, WORKLOAD, QUOTE, LINE, SHELL come from the environment.
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
});
