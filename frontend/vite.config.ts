import tailwindcss from "@tailwindcss/vite"
import { loadEnv } from "vite"
import { defineConfig } from "vitest/config"

export default defineConfig(({ mode }) => {
  // From the environment, or from the .env file at the root of the repository as Django does.
  const port = Number(loadEnv(mode, "..", "VITE_").VITE_PORT ?? 8001)

  return {
    // Equals Django's STATIC_URL: the development server then serves the same paths.
    base: "/static/",
    plugins: [tailwindcss()],
    build: {
      outDir: "dist",
      manifest: true,
      rolldownOptions: { input: ["src/js/application.ts", "src/css/styles.css"] },
    },
    server: {
      host: "127.0.0.1",
      port,
      strictPort: true,
      // Pages come from Django, so the assets that CSS names need the full address.
      origin: `http://localhost:${port}`,
    },
    test: { environment: "happy-dom" },
  }
})
