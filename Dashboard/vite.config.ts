import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const coordinator = process.env["HEARTH_COORDINATOR"] ?? "http://127.0.0.1:7770";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../Coordinator/wwwroot",
    emptyOutDir: true,
    chunkSizeWarningLimit: 900,
  },
  server: { proxy: { "/api": coordinator } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
