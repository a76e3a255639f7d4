import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { find } from "../testing"
import { announcePage } from "./announcer"

const said = () => find("#announcer").textContent?.trim()

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

test("a new page is announced by its title", () => {
  render()

  expect(said()).toBe("Joints · Dovetail")
})

test("so are the messages that came with it", () => {
  find("#toasts").innerHTML = "<div><p>Published.</p></div>"
  render()

  expect(said()).toBe("Joints · Dovetail Published.")
})

test("the same page twice is said twice", () => {
  render()
  announcePage(new CustomEvent("turbo:render", { detail: { renderMethod: "replace" } }))

  expect(said()).toBe("")
})

test("a refresh is no new page, and a preview will be one", () => {
  render("morph")
  document.documentElement.dataset.turboPreview = ""
  render()

  expect(said()).toBe("")
})

test("who is in a field hears of the field, and the messages", () => {
  find("#toasts").innerHTML = "<div><p>Published.</p></div>"
  find("input").focus()
  render()

  expect(said()).toBe("Published.")
})
