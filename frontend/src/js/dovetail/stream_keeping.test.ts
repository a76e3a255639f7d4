import { afterEach, beforeEach, expect, test } from "vitest"
import { keepFromStream, receive } from "./stream_keeping"
import { find } from "./testing"

beforeEach(() => {
  document.addEventListener("turbo:before-stream-render", keepFromStream)
  document.body.innerHTML = `
    <div id="comment"><form><textarea>saved</textarea></form></div><div id="toasts"></div>
    <template id="unsaved"><div role="alert"><p></p><button>Dismiss</button></div></template>`
})

afterEach(() => document.removeEventListener("turbo:before-stream-render", keepFromStream))

/** Returns whether Turbo would run a stream with an action on the comment. */
function runs(action: string, method = ""): boolean {
  const stream = Object.assign(document.createElement("div"), {
    action,
    targetElements: [find("#comment")],
  })
  if (method) stream.setAttribute("method", method)
  document.body.append(stream)
  const event = new Event("turbo:before-stream-render", { bubbles: true, cancelable: true })
  const isRun = stream.dispatchEvent(event)
  stream.remove()
  return isRun
}

function received(...stream: Parameters<typeof runs>): boolean {
  let isRun = false
  receive(() => {
    isRun = runs(...stream)
  })
  return isRun
}

function type(): void {
  find<HTMLTextAreaElement>("textarea").value = "typed"
}

test.each(["remove", "replace", "update"])("runs a broadcast %s of what is saved", (action) => {
  expect(received(action)).toBe(true)
  expect(find("#toasts").textContent).toBe("")
})

test.each([
  ["remove", "deleted"],
  ["replace", "changed"],
  ["update", "changed"],
])("keeps unsaved input from a broadcast %s, and says so", (action, change) => {
  type()
  expect(received(action)).toBe(false)
  expect(find("#toasts [role=alert]").textContent).toContain(`This was ${change} while`)
})

test.each([
  ["append", ""],
  ["before", ""],
  ["replace", "morph"],
])("runs a broadcast %s %s, which keeps the input itself", (action, method) => {
  type()
  expect(received(action, method)).toBe(true)
})

test("runs the answer to the page's own form, also after a broadcast that failed", () => {
  type()
  const failing = () =>
    receive(() => {
      throw new Error("malformed")
    })
  expect(failing).toThrow("malformed")
  expect(runs("replace")).toBe(true)
})
