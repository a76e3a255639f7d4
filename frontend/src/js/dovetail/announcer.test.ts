import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { announcePage } from "./announcer"
import { find } from "./testing"

const announced = () => find("#announcer").textContent?.trim()

function render(renderMethod = "replace"): void {
  announcePage(new CustomEvent("turbo:render", { detail: { renderMethod } }))
  vi.advanceTimersByTime(100)
}

beforeEach(() => {
  vi.useFakeTimers()
  document.title = "Joints · Dovetail"
  document.body.innerHTML = '<p id="announcer"></p><input><div id="toasts"></div>'
})

afterEach(() => {
  delete document.documentElement.dataset.turboPreview
  vi.useRealTimers()
})

test("announces the title of a new page", () => {
  render()

  expect(announced()).toBe("Joints · Dovetail")
})

test("announces the messages of a new page", () => {
  find("#toasts").innerHTML = "<div><p>Published.</p></div>"
  render()

  expect(announced()).toBe("Joints · Dovetail Published.")
})

test("clears the announcer first, so that the same title is announced again", () => {
  render()
  announcePage(new CustomEvent("turbo:render", { detail: { renderMethod: "replace" } }))

  expect(announced()).toBe("")
})

test("does not announce morph refreshes and previews", () => {
  render("morph")
  document.documentElement.dataset.turboPreview = ""
  render()

  expect(announced()).toBe("")
})

test("leaves out the title while a field has focus", () => {
  find("#toasts").innerHTML = "<div><p>Published.</p></div>"
  find("input").focus()
  render()

  expect(announced()).toBe("Published.")
})
