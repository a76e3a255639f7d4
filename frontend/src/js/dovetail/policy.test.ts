/// <reference types="node" />
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { session } from "@hotwired/turbo"
import { expect, test } from "vitest"

const SETTINGS = "../project/config/settings/parts/security.py"

test("the policy allows the style of the installed Turbo's progress bar", () => {
  const style = session.adapter.progressBar.stylesheetElement.textContent ?? ""
  const hash = createHash("sha256").update(style).digest("base64")

  expect(style).toContain(".turbo-progress-bar")
  expect(readFileSync(SETTINGS, "utf8"), `style-src lacks the hash of Turbo's style`).toContain(
    `'sha256-${hash}'`,
  )
})
