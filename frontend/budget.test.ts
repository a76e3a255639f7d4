// @vitest-environment node
/// <reference types="node" />
import { brotliCompressSync } from "node:zlib"
import { build } from "vite"
import { beforeAll, expect, test } from "vitest"

const KB = 1000 // bytes

const sizes = new Map<string, number>()

beforeAll(async () => {
  const output = await build({ logLevel: "warn", build: { write: false } })
  if (!("output" in output)) throw new Error("Vite built no single bundle")
  for (const file of output.output) {
    const size = brotliCompressSync(file.type === "chunk" ? file.code : file.source).length
    const kind = kindOf(file)
    sizes.set(kind, (sizes.get(kind) ?? 0) + size)
  }
}, 60_000)

// What only the pages about the API load.
const API_DOCS = /^assets\/(api_docs|page|redoc|swagger_ui)-/
// What only the pages for staff load.
const STAFF = /^assets\/jobs-/

// What pages load only if the site sends traces.
const TELEMETRY = /^assets\/traceparent-/

// What only the forms with file inputs load.
const UPLOADS = /^assets\/upload-/

/** Returns "entry" for scripts that every page runs, and a package's name for chunks on demand. */
function kindOf(file: { type: string; fileName: string; isDynamicEntry?: boolean }): string {
  if (API_DOCS.test(file.fileName)) return "api_docs"
  if (STAFF.test(file.fileName)) return "staff"
  if (TELEMETRY.test(file.fileName)) return "telemetry"
  if (UPLOADS.test(file.fileName)) return "uploads"
  if (file.type !== "chunk") return file.fileName.replace(/.*\./, "")
  if (!file.isDynamicEntry) return "entry"
  return file.fileName.replace(/^assets\/|-.{8}\.js$/g, "")
}

// Compressed sizes of what a first visit downloads, and of what some pages load on demand.
// Tighten them if there is room; never loosen them.
test.each([
  ["entry", 36 * KB],
  ["css", 18 * KB],
  ["woff2", 23 * KB],
  ["actioncable.esm", 4 * KB],
  ["gsap", 26 * KB],
  ["drafts", 2 * KB],
  ["passkeys", 1 * KB],
  ["careful_refresh", 1 * KB],
  ["api_docs", 4.5 * KB], // both pages, with their styles
  ["staff", 0.3 * KB],
  ["telemetry", 0.3 * KB],
  ["uploads", 1.3 * KB],
])("%s stays below %d bytes", (kind, limit) => {
  expect(sizes.get(kind)).toBeLessThan(limit)
})

test("nothing else is loaded", () => {
  const known = [
    "entry",
    "css",
    "woff2",
    "actioncable.esm",
    "gsap",
    "drafts",
    "passkeys",
    "careful_refresh",
    "api_docs",
    "staff",
    "telemetry",
    "uploads",
    "json",
  ]
  expect(Array.from(sizes.keys()).filter((kind) => !known.includes(kind))).toEqual([])
})
