import * as Turbo from "@hotwired/turbo"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { refresh, refreshFromStream } from "./refresh"
import { find } from "./testing"

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

/** Performs a refresh as a broadcast would. */
function stream(attributes = ""): void {
  document.body.innerHTML = `<turbo-stream action="refresh" ${attributes}></turbo-stream>`
  refreshFromStream.call(find("turbo-stream"))
}

test("merges refreshes in quick succession", () => {
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

test("a steady stream of refreshes does not delay the first one", () => {
  for (let i = 0; i < 10; i++) {
    refresh()
    vi.advanceTimersByTime(100)
  }
  expect(visit.mock.calls.length).toBeGreaterThan(3)
})

test("waits for a visit in progress", () => {
  Turbo.navigator.currentVisit = {}
  refresh()
  vi.advanceTimersByTime(5000)
  expect(visit).not.toHaveBeenCalled()
  Turbo.navigator.currentVisit = undefined
  soon()
  expect(visit).toHaveBeenCalledOnce()
})

test.each([
  ["a form submission", '<form aria-busy="true"></form>'],
  ["an open confirmation", '<dialog id="confirmation" open></dialog>'],
])("waits for %s", (_, page) => {
  document.body.innerHTML = page
  refresh()
  vi.advanceTimersByTime(5000)
  expect(visit).not.toHaveBeenCalled()
  document.body.innerHTML = ""
  soon()
  expect(visit).toHaveBeenCalledOnce()
})

test("does not fetch a page that the user has left", () => {
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

test("ignores a refresh caused by the page's own request", () => {
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

test("a broadcast can set the method and scroll behavior", () => {
  stream('method="morph" scroll="preserve"')
  soon()
  expect(visit.mock.calls[0]?.[1]).toMatchObject({
    refresh: { method: "morph", scroll: "preserve" },
  })
})
