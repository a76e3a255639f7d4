import { beforeEach, expect, test } from "vitest"
import { find } from "./dovetail/testing"
import "./passkeys"

beforeEach(() => {
  Object.defineProperty(navigator, "credentials", { value: {}, configurable: true })
})

/** Fails as allauth's script does, on a page at this address. */
function fail(name: string, address = "https://example.org/accounts/login/"): Event {
  const { happyDOM } = window as unknown as { happyDOM: { setURL(url: string): void } }
  happyDOM.setURL(address)
  document.body.innerHTML =
    '<div id="toasts"></div><template id="unsaved"><div role="alert"><p></p></div></template>'
  const exception = Object.assign(new Error(), { name })
  const detail = { tags: ["mfa", "webauthn"], exception }
  const event = new CustomEvent("allauth.error", { cancelable: true, detail })
  document.dispatchEvent(event)
  return event
}

const message = () => find("#toasts [role=alert]").textContent

test.each([
  ["NotAllowedError", /closed the prompt.*choose another way/],
  ["InvalidStateError", /already registered/],
  ["NotSupportedError", /another device or key/],
  ["ConstraintError", /screen lock/],
  ["SecurityError", /HTTPS/],
  ["TypeError", /Check your network/],
])("says what to do about %s", (name, remedy) => {
  const event = fail(name)

  expect(event.defaultPrevented).toBe(true)
  expect(message()).toMatch(remedy)
})

test.each([
  "http://127.0.0.1:8000/accounts/login/?next=/",
  "http://[::1]:8000/accounts/login/?next=/",
])("sends %s to localhost", (address) => {
  fail("SecurityError", address)

  expect(find("#toasts a").getAttribute("href")).toBe(
    "http://localhost:8000/accounts/login/?next=/",
  )
})

test("explains that passkeys need a name", () => {
  fail("SecurityError", "https://192.0.2.7/accounts/login/")

  expect(message()).toContain("don’t support passkeys at 192.0.2.7")
  expect(document.querySelector("#toasts a")).toBeNull()
})

test("says so if the browser has no passkeys", () => {
  Object.defineProperty(navigator, "credentials", { value: undefined, configurable: true })
  fail("TypeError")

  expect(message()).toContain("doesn’t support passkeys")
})
