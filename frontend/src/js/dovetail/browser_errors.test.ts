import { beforeEach, expect, test } from "vitest"
import { reportRefusal } from "./browser_errors"
import { find } from "./testing"

beforeEach(() => {
  document.body.innerHTML =
    '<div id="toasts"></div><template id="unsaved"><p role="alert"></p></template>'
})

function reject(reason: unknown): void {
  reportRefusal(Object.assign(new Event("unhandledrejection"), { reason }) as PromiseRejectionEvent)
}

test.each(["NotAllowedError", "SecurityError", "NotSupportedError", "QuotaExceededError"])(
  "reports %s with what to do",
  (name) => {
    reject(new DOMException("", name))
    expect(find("[role=alert]").textContent).toMatch(/^Your browser didn’t allow this\. \w+/)
  },
)

test("ignores programming errors and what the user has aborted", () => {
  reject(new TypeError("x is not a function"))
  reject(new DOMException("", "AbortError"))
  expect(document.querySelector("[role=alert]")).toBeNull()
})
