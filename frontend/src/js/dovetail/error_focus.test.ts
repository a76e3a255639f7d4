import { beforeEach, expect, test } from "vitest"
import { find } from "../testing"
import { focusErrors } from "./error_focus"

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

test("what the server marked gets the focus once the errors are on the page", () => {
  submitted(false)
  expect(document.activeElement).toBe(find("button"))

  rendered()
  expect(document.activeElement).toBe(find("[name=wrong]"))
})

test("a page that changes for another reason keeps the focus where it is", () => {
  submitted(true)
  rendered()
  expect(document.activeElement).toBe(find("button"))

  submitted(false)
  rendered()
  find("button").focus()
  rendered()
  expect(document.activeElement).toBe(find("button"))
})

test("a form in a frame is Turbo's own matter, and the next page is another", () => {
  submitted(false, "#framed")
  rendered()
  expect(document.activeElement).toBe(find("button"))
})

test("without an answer there is nothing to wait for", () => {
  const detail = { success: false, error: new TypeError("Failed to fetch") }
  find("#page").dispatchEvent(new CustomEvent("turbo:submit-end", { bubbles: true, detail }))
  rendered()
  expect(document.activeElement).toBe(find("button"))
})
