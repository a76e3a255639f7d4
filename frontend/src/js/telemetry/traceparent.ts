/*
 * Begins traces in the browser: what Turbo fetches for one visit, such as a page and its frames, is
 * one trace, and so is each form that is sent. Pages load this only if the site sends traces.
 *
 * The server takes the ids from here, but decides by itself which traces are kept.
 */
import type { TurboBeforeFetchRequestEvent } from "@hotwired/turbo"

/** Return random bytes in hexadecimal. */
function randomHex(bytes: number): string {
  const values = crypto.getRandomValues(new Uint8Array(bytes))
  return Array.from(values, (value) => value.toString(16).padStart(2, "0")).join("")
}

let trace = randomHex(16)

addEventListener("turbo:visit", () => {
  trace = randomHex(16)
})

addEventListener("turbo:before-fetch-request", (event) => {
  const { fetchOptions, url } = (event as TurboBeforeFetchRequestEvent).detail
  if (url.origin !== location.origin) return
  if ((fetchOptions.method ?? "GET").toUpperCase() !== "GET") trace = randomHex(16)
  // As in https://www.w3.org/TR/trace-context/.
  const headers = fetchOptions.headers as Record<string, string>
  headers.traceparent = `00-${trace}-${randomHex(8)}-01`
})
