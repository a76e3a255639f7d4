import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest"
import { find } from "../dovetail/testing"

const reload = vi.fn()

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ["setInterval"] })
  await import("./jobs")
})

beforeEach(() => {
  reload.mockReset()
  document.body.innerHTML = `<div id="jobs_now" complete></div>`
  Object.assign(find("div"), { reload })
})

afterAll(() => {
  vi.useRealTimers()
})

test("loads the frame again after each period", () => {
  vi.advanceTimersByTime(10_000)

  expect(reload).toHaveBeenCalledTimes(2)
})

test("does not load it while no one sees the page", () => {
  const state = vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden")

  vi.advanceTimersByTime(20_000)
  state.mockRestore()

  expect(reload).not.toHaveBeenCalled()
})

test("waits for an answer that is slow", () => {
  find("div").setAttribute("busy", "")
  vi.advanceTimersByTime(20_000)
  expect(reload).not.toHaveBeenCalled()

  find("div").removeAttribute("busy")
  vi.advanceTimersByTime(5000)
  expect(reload).toHaveBeenCalledTimes(1)
})

test("does nothing on other pages", () => {
  document.body.innerHTML = ""

  vi.advanceTimersByTime(20_000)

  expect(reload).not.toHaveBeenCalled()
})
