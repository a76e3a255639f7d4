import * as Turbo from "@hotwired/turbo"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { forgetProgressBar } from "./progress_bar"

addEventListener("turbo:visit", forgetProgressBar)

const isShown = () => document.querySelector(".turbo-progress-bar") !== null

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  Turbo.navigator.stop()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

test("a visit that another took the place of shows no progress any more", async () => {
  vi.stubGlobal("fetch", () => new Promise(() => {}))
  Turbo.visit("/one")
  await vi.advanceTimersByTimeAsync(50)
  Turbo.visit("/two")
  await vi.advanceTimersByTimeAsync(50)

  Turbo.session.adapter.visitCompleted(Turbo.navigator.currentVisit as Turbo.Visit)
  await vi.advanceTimersByTimeAsync(5000)

  expect(isShown()).toBe(false)
})
