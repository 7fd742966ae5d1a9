/** At the end of a build: what it was made from, and the licences of what went into it. */

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

const HOME = dirname(dirname(fileURLToPath(import.meta.url)));

/** Files that change what is built; tests/service/test_web.py reads this list. */
export const SOURCES = ["build", "index.html", "package-lock.json", "package.json", "public", "src", "tsconfig.json", "vite.config.ts"];

/** Write `sources.json` and `LICENCES.txt` beside what was built. */
export function record(): Plugin {
  const packages = new Set<string>();
  return {
    name: "atypia-record",
    apply: "build",
    generateBundle(_, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk") continue;
        for (const module of Object.keys(chunk.modules)) {
          const folder = folderOf(module);
          if (folder) packages.add(folder);
        }
      }
      this.emitFile({ type: "asset", fileName: "LICENCES.txt", source: licences([...packages].sort()) });
      this.emitFile({ type: "asset", fileName: "sources.json", source: `${JSON.stringify({ sha256: hashOf(HOME) })}\n` });
    },
  };
}

/** One hash over the names and contents of all sources. */
export function hashOf(home: string): string {
  const hash = createHash("sha256");
  for (const file of SOURCES.flatMap((name) => filesBelow(join(home, name))).sort(byName(home))) {
    hash.update(name(home, file)).update("\0").update(readFileSync(file)).update("\0");
  }
  return hash.digest("hex");
}

function filesBelow(path: string): string[] {
  const entries = existsSync(path) ? readdirSync(dirname(path), { withFileTypes: true }) : [];
  const itself = entries.find((entry) => join(dirname(path), entry.name) === path);
  if (!itself?.isDirectory()) return itself ? [path] : [];
  return readdirSync(path).flatMap((inner) => filesBelow(join(path, inner)));
}

function name(home: string, file: string): string {
  return relative(home, file).split(sep).join("/");
}

function byName(home: string) {
  return (one: string, other: string) => (name(home, one) < name(home, other) ? -1 : 1);
}

function folderOf(module: string): string | null {
  const at = module.lastIndexOf("/node_modules/");
  if (at < 0) return null;
  const parts = module.slice(at + "/node_modules/".length).split("/");
  const named = parts[0]?.startsWith("@") ? parts.slice(0, 2) : parts.slice(0, 1);
  return join(module.slice(module.indexOf("/"), at), "node_modules", ...named);
}

interface Package {
  name: string;
  version: string;
  license?: string;
}

/** Where a package forgot the text of its licence, it stands beside this file; else the build fails. */
function given(name: string): string {
  return join(HOME, "build", "licences", `${name.replace("@", "").replace("/", "-")}.txt`);
}

function licences(folders: string[]): string {
  const told = folders.map((folder) => {
    const made = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Package;
    const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.|$)/i.test(entry));
    const text = readFileSync(file ? join(folder, file) : given(made.name), "utf8").trim();
    return `${made.name} ${made.version}: ${made.license ?? "see below"}\n\n${text}\n`;
  });
  const head =
    "The page of Atypia's reading room holds these packages. NiiVue is changed: it works out no gradients.\n";
  return [head, ...told].join(`\n${"-".repeat(80)}\n\n`);
}
