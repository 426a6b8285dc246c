/** Theme, density and other settings of this browser; `theme.js` applies them before the first paint. */

import { useSyncExternalStore } from "react";

import { store } from "../core/store";

export type ThemeChoice = "dark" | "light" | "system";

const PREFIX = "ph.";

export function readSetting(name: string): string | null {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

export function writeSetting(name: string, value: string): void {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // Private windows may refuse; the setting then lasts as long as the tab.
  }
}

function readTheme(): ThemeChoice {
  const saved = readSetting("theme");
  return saved === "light" || saved === "system" ? saved : "dark";
}

const choice = store<ThemeChoice>(readTheme());
const light = matchMedia("(prefers-color-scheme: light)");

function apply(): void {
  const wanted = choice.read();
  document.documentElement.dataset["theme"] = wanted === "system" ? (light.matches ? "light" : "dark") : wanted;
}

light.addEventListener("change", apply);

export function setTheme(next: ThemeChoice): void {
  writeSetting("theme", next);
  choice.write(next);
  apply();
}

export const useTheme = (): ThemeChoice => useSyncExternalStore(choice.listen, choice.read);

export function setDensity(comfortable: boolean): void {
  writeSetting("density", comfortable ? "comfortable" : "compact");
  if (comfortable) document.documentElement.dataset["density"] = "comfortable";
  else delete document.documentElement.dataset["density"];
}
