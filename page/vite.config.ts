import { fileURLToPath } from "node:url";
import preact from "@preact/preset-vite";
import { defineConfig } from "vitest/config";
import { leaner } from "./build/leaner.ts";
import { record } from "./build/record.ts";

const SERVER = process.env.ATYPIA_SERVER ?? "http://127.0.0.1:8765";

export default defineConfig({
  plugins: [leaner(), preact({ devToolsEnabled: false }), record()],
  resolve: {
    alias: [{ find: /^numcodecs\/(blosc|lz4|zstd)$/, replacement: fileURLToPath(new URL("src/viewer/not_loaded.ts", import.meta.url)) }],
  },
  build: {
    outDir: "../src/atypia/service/web",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    chunkSizeWarningLimit: 4000,
  },
  server: { host: "127.0.0.1", proxy: { "/api": { target: SERVER, changeOrigin: true }, "/dicomweb": SERVER } },
  test: { environment: "happy-dom", include: ["test/**/*.test.{ts,tsx}"] },
});
