import * as Turbo from "@hotwired/turbo"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { find } from "../testing"
import { refresh, refreshFromStream } from "./refresh"

const visit = vi.spyOn(Turbo.session, "visit").mockReturnValue()
const soon = () => vi.advanceTimersByTime(150)

beforeEach(() => {
  vi.useFakeTimers()
  visit.mockClear()
  document.body.innerHTML = ""
})

afterEach(() => {
  Turbo.navigator.currentVisit = undefined
  vi.runAllTimers()
  vi.useRealTimers()
})

/** Carries out a refresh as a broadcast brings it. */
function stream(attributes = ""): void {
  document.body.innerHTML = `<turbo-stream action="refresh" ${attributes}></turbo-stream>`
  refreshFromStream.call(find("turbo-stream"))
}

test("many at once are one", () => {
  refresh()
  refresh()
  expect(visit).not.toHaveBeenCalled()
  soon()
  expect(visit).toHaveBeenCalledOnce()
  expect(visit).toHaveBeenCalledWith(document.baseURI, {
    action: "replace",
    shouldCacheSnapshot: false,
    refresh: {},
  })
})

test("a steady stream of them does not put the first one off", () => {
  for (let i = 0; i < 10; i++) {
    refresh()
    vi.advanceTimersByTime(100)
  }
  expect(visit.mock.calls.length).toBeGreaterThan(3)
})

test("one that comes during a visit follows it", () => {
  Turbo.navigator.currentVisit = {}
  refresh()
  vi.advanceTimersByTime(5000)
  expect(visit).not.toHaveBeenCalled()
  Turbo.navigator.currentVisit = undefined
  soon()
  expect(visit).toHaveBeenCalledOnce()
})

test.each([
  ["is being sent", '<form aria-busy="true"></form>'],
  ["waits for an answer", '<dialog id="confirmation" open></dialog>'],
])("a form that %s is not aborted", (_, page) => {
  document.body.innerHTML = page
  refresh()
  vi.advanceTimersByTime(5000)
  expect(visit).not.toHaveBeenCalled()
  document.body.innerHTML = ""
  soon()
  expect(visit).toHaveBeenCalledOnce()
})

test("a page that is gone is not fetched again", () => {
  const here = location.href
  refresh()
  history.replaceState(null, "", "/elsewhere")
  soon()
  expect(visit).not.toHaveBeenCalled()

  refresh()
  soon()
  expect(visit).toHaveBeenCalledOnce()
  history.replaceState(null, "", here)
})

test("the page that made a change has shown it, others have not", () => {
  const has = vi.spyOn(Turbo.session.recentRequests, "has")
  has.mockImplementation((id) => id === "own")
  stream('request-id="own"')
  soon()
  expect(visit).not.toHaveBeenCalled()

  stream('request-id="foreign"')
  stream('request-id="own"')
  soon()
  expect(visit).toHaveBeenCalledOnce()
})

test("a broadcast may say how", () => {
  stream('method="morph" scroll="preserve"')
  soon()
  expect(visit.mock.calls[0]?.[1]).toMatchObject({
    refresh: { method: "morph", scroll: "preserve" },
  })
})
