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
    const content = file.type === "chunk" ? file.code : file.source
    const kind = file.type === "chunk" && file.isEntry ? "entry" : file.fileName.replace(/.*\./, "")
    sizes.set(kind, (sizes.get(kind) ?? 0) + brotliCompressSync(content).length)
  }
}, 60_000)

// What a first visit fetches, as a server sends it. Tighten when there is room; never loosen.
test.each([
  ["entry", 36 * KB],
  ["css", 18 * KB],
  ["woff2", 23 * KB],
])("%s stays below %d bytes", (kind, limit) => {
  expect(sizes.get(kind)).toBeLessThan(limit)
})
