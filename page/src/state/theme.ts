/** Light or dark: as the system has it, or as was chosen here. */

import { effect, signal } from "@preact/signals";
import { recalled, remembered } from "./browser";

export type Theme = "system" | "light" | "dark";
const saved = recalled("theme");

export const theme = signal<Theme>(saved === "light" || saved === "dark" ? saved : "system");

effect(() => {
  remembered("theme", theme.value === "system" ? null : theme.value);
  if (theme.value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
});

/** Go on to the next: as the system, light, dark. */
export function nextTheme(): void {
  theme.value = theme.value === "system" ? "light" : theme.value === "light" ? "dark" : "system";
}
