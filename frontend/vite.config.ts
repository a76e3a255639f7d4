import tailwindcss from "@tailwindcss/vite"
import { loadEnv } from "vite"
import { defineConfig } from "vitest/config"

export default defineConfig(({ mode }) => {
  // From the environment or the .env file in the repository's root, as in Django.
  const port = Number(loadEnv(mode, "..", "VITE_").VITE_PORT ?? 8001)

  return {
    // The same as Django's STATIC_URL, so that the development server serves the same paths.
    base: "/static/",
    plugins: [tailwindcss()],
    build: {
      outDir: "dist",
      manifest: true,
      rolldownOptions: {
        input: [
          "src/js/application.ts",
          "src/css/styles.css",
          // Of the pages about the API.
          "src/js/api_docs/swagger_ui.ts",
          "src/js/api_docs/redoc.ts",
          "src/css/api_docs.css",
          // Of the page of background work.
          "src/js/staff/jobs.ts",
          // Of all pages, if the site sends traces.
          "src/js/telemetry/traceparent.ts",
          // Of the forms with file inputs.
          "src/js/uploads/upload.ts",
        ],
      },
    },
    server: {
      host: "127.0.0.1",
      port,
      strictPort: true,
      // Pages come from Django, so assets referenced in CSS need absolute URLs.
      origin: `http://localhost:${port}`,
    },
    test: { environment: "happy-dom" },
  }
})
