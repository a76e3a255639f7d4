import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { find, mount } from "../dovetail/testing"
import AutoSubmitController from "./auto_submit_controller"

let submissions = 0

beforeEach(async () => {
  await mount(
    `<form data-controller="auto-submit">
       <input data-action="input->auto-submit#submitSoon">
       <select data-action="change->auto-submit#submit"></select>
     </form>`,
    { "auto-submit": AutoSubmitController },
  )
  submissions = 0
  find("form").addEventListener("submit", (event) => {
    event.preventDefault()
    submissions += 1
  })
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

test("a choice submits the form immediately", () => {
  find("select").dispatchEvent(new Event("change", { bubbles: true }))

  expect(submissions).toBe(1)
})

test("typing submits the form once, after the last key", () => {
  for (let key = 0; key < 3; key += 1) {
    find("input").dispatchEvent(new Event("input", { bubbles: true }))
    vi.advanceTimersByTime(200)
  }
  expect(submissions).toBe(0)

  vi.advanceTimersByTime(100)
  expect(submissions).toBe(1)
})

test("a choice right after typing submits the form only once", () => {
  find("input").dispatchEvent(new Event("input", { bubbles: true }))
  find("select").dispatchEvent(new Event("change", { bubbles: true }))

  vi.advanceTimersByTime(1000)
  expect(submissions).toBe(1)
})

test("a form submitted by its button right after typing is not submitted again", () => {
  find("input").dispatchEvent(new Event("input", { bubbles: true }))
  find<HTMLFormElement>("form").requestSubmit()

  vi.advanceTimersByTime(1000)
  expect(submissions).toBe(1)
})

test("a form that has left the page is not submitted", async () => {
  find("input").dispatchEvent(new Event("input", { bubbles: true }))

  find("form").remove()
  await vi.advanceTimersByTimeAsync(1000)
  expect(submissions).toBe(0)
})
