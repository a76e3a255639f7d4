import * as Turbo from "@hotwired/turbo"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { cancelProgressBar } from "./progress_bar"

addEventListener("turbo:visit", cancelProgressBar)

const isShown = () => document.querySelector(".turbo-progress-bar") !== null

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  Turbo.navigator.stop()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

test("a replaced visit shows no progress bar", async () => {
  vi.stubGlobal("fetch", () => new Promise(() => {}))
  Turbo.visit("/one")
  await vi.advanceTimersByTimeAsync(50)
  Turbo.visit("/two")
  await vi.advanceTimersByTimeAsync(50)

  Turbo.session.adapter.visitCompleted(Turbo.navigator.currentVisit as Turbo.Visit)
  await vi.advanceTimersByTimeAsync(5000)

  expect(isShown()).toBe(false)
})
