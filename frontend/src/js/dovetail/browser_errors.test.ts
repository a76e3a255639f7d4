import { beforeEach, expect, test } from "vitest"
import { reportRefusal } from "./browser_errors"
import { find } from "./testing"

beforeEach(() => {
  document.body.innerHTML =
    '<div id="toasts"></div><template id="unsaved"><p role="alert"></p></template>'
})

function rejection(reason: unknown): PromiseRejectionEvent {
  const event = new Event("unhandledrejection", { cancelable: true })
  return Object.assign(event, { reason }) as PromiseRejectionEvent
}

function reject(reason: unknown): void {
  reportRefusal(rejection(reason))
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

test("keeps only what was aborted from being reported as an error", () => {
  const aborted = rejection(new DOMException("", "AbortError"))
  const other = rejection(new DOMException("", "NetworkError"))
  for (const event of [aborted, other]) reportRefusal(event)
  expect([aborted.defaultPrevented, other.defaultPrevented]).toEqual([true, false])
})
