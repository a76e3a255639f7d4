// @vitest-environment node
/// <reference types="node" />
import { readFile } from "node:fs/promises"
import openapiTS, { astToString, COMMENT_HEADER } from "openapi-typescript"
import { expect, test } from "vitest"

const SCHEMA = new URL("../docs/openapi.yaml", import.meta.url)
const TYPES = new URL("src/js/api/schema.d.ts", import.meta.url)

test("the client's types are those of docs/openapi.yaml", async () => {
  const generated = COMMENT_HEADER + astToString(await openapiTS(SCHEMA))

  // If this fails, run `bin/npm run types` and commit the result.
  expect(await readFile(TYPES, "utf-8")).toBe(generated)
}, 60_000)
