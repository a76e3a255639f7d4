import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { find, mount } from "../dovetail/testing"
import FrameReloadController from "./frame_reload_controller"

const reload = vi.fn()

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
  reload.mockReset()
  await mount(`<div data-controller="frame-reload" data-frame-reload-seconds-value="5"></div>`, {
    "frame-reload": FrameReloadController,
  })
  Object.assign(find("div"), { reload })
})

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

test("loads the frame again after each period", () => {
  vi.advanceTimersByTime(4900)
  expect(reload).not.toHaveBeenCalled()

  vi.advanceTimersByTime(5200)
  expect(reload).toHaveBeenCalledTimes(2)
})

test("does not load it while no one sees the page", () => {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden")

  vi.advanceTimersByTime(20_000)

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

test("stops with its element", async () => {
  find("div").remove()
  await Promise.resolve()

  vi.advanceTimersByTime(20_000)

  expect(reload).not.toHaveBeenCalled()
})
