import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env["PILOTHOUSE_SERVER"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  build: { target: "es2023", manifest: true, assetsInlineLimit: 0, chunkSizeWarningLimit: 900 },
  server: { port: 5173, proxy: { "/api": { target: server, ws: true }, "/prometheus": { target: server } } },
  test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"] },
});
