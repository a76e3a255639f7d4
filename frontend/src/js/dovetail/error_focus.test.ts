import { beforeEach, expect, test } from "vitest"
import { focusErrors } from "./error_focus"
import { find } from "./testing"

addEventListener("turbo:submit-end", focusErrors)

function submitted(success: boolean, form = "#page"): void {
  const detail = { success, fetchResponse: {} }
  find(form).dispatchEvent(new CustomEvent("turbo:submit-end", { bubbles: true, detail }))
}
const rendered = () => window.dispatchEvent(new Event("turbo:render"))

beforeEach(() => {
  document.body.innerHTML = `
    <form id="page"><input name="first"><input name="wrong" autofocus><button></button></form>
    <turbo-frame><form id="framed"></form></turbo-frame>`
  find("button").focus()
})

test("focuses the element with autofocus when the errors are rendered", () => {
  submitted(false)
  expect(document.activeElement).toBe(find("button"))

  rendered()
  expect(document.activeElement).toBe(find("[name=wrong]"))
})

test("does not move focus on other renders", () => {
  submitted(true)
  rendered()
  expect(document.activeElement).toBe(find("button"))

  submitted(false)
  rendered()
  find("button").focus()
  rendered()
  expect(document.activeElement).toBe(find("button"))
})

test("ignores forms in frames, which Turbo handles", () => {
  submitted(false, "#framed")
  rendered()
  expect(document.activeElement).toBe(find("button"))
})

test("ignores submissions without a response", () => {
  const detail = { success: false, error: new TypeError("Failed to fetch") }
  find("#page").dispatchEvent(new CustomEvent("turbo:submit-end", { bubbles: true, detail }))
  rendered()
  expect(document.activeElement).toBe(find("button"))
})
