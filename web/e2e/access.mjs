// What axe finds in a room, in both themes. Rules: WCAG 2.2 A and AA, and good practice; serious and critical findings count.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const THEMES = ["dark", "light"];

/** Looks at the page as it stands; throws with every finding that counts, named by rule, element and cause. */
export async function accessible(page, room) {
  // Colours that are still fading from one theme to the other are nobody's contrast.
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.evaluate(axe);
  const found = [];
  for (const theme of THEMES) {
    await page.evaluate((t) => { document.documentElement.dataset.theme = t; }, theme);
    const violations = await page.evaluate(async (values) => (await window.axe.run(document, { runOnly: { type: "tag", values }, resultTypes: ["violations"] })).violations, RULES);
    for (const v of violations) {
      if (v.impact !== "serious" && v.impact !== "critical") continue;
      for (const node of v.nodes) found.push(`${room}, ${theme}: ${v.id} (${v.help}) at ${node.target.join(" ")}: ${node.failureSummary?.split("\n")[1]?.trim() ?? ""}`);
    }
  }
  if (found.length > 0) throw new Error(found.join("\n"));
}
