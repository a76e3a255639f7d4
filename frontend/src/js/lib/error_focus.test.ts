import { beforeEach, expect, test } from "vitest"
import { find } from "../testing"
import { focusErrors } from "./error_focus"

const submitted = (success: boolean) =>
  focusErrors(new CustomEvent("turbo:submit-end", { detail: { success } }))
const rendered = () => window.dispatchEvent(new Event("turbo:render"))

beforeEach(() => {
  document.body.innerHTML = "<input name=first><input name=wrong autofocus><button></button>"
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
