import { expect, test } from "vitest"
import "./traceparent"

/** Return the header of a request that Turbo is about to send. */
function headerOf(url: string, method = "get"): string | undefined {
  const headers: Record<string, string> = {}
  const fetchOptions = { method, headers }
  const detail = { fetchOptions, url: new URL(url, location.href) }
  document.dispatchEvent(new CustomEvent("turbo:before-fetch-request", { bubbles: true, detail }))
  return headers.traceparent
}

const traceOf = (header: string | undefined) => header?.split("-")[1]

test("requests of one visit are one trace, of different spans", () => {
  const page = headerOf("/articles/")
  const frame = headerOf("/articles/frame/")

  expect(page).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  expect(traceOf(frame)).toBe(traceOf(page))
  expect(frame).not.toBe(page)
})

test("another visit and a form are other traces", () => {
  const first = traceOf(headerOf("/articles/"))
  document.dispatchEvent(new CustomEvent("turbo:visit", { bubbles: true }))
  const second = traceOf(headerOf("/articles/"))
  const form = traceOf(headerOf("/articles/", "post"))

  expect(new Set([first, second, form]).size).toBe(3)
})

test("requests to other sites are left alone", () => {
  expect(headerOf("https://other.example/")).toBeUndefined()
})
