import { beforeEach, expect, test, vi } from "vitest"
import { handleMissingFrame, rememberSubmission } from "./missing_frame"
import { find } from "./testing"

addEventListener("turbo:before-fetch-response", rememberSubmission)
addEventListener("turbo:frame-missing", handleMissingFrame)

const visit = vi.fn()

beforeEach(() => {
  visit.mockClear()
  document.body.innerHTML = `
    <div id="toasts"></div><template id="unsaved"><p role="alert">Not saved.</p></template>
    <turbo-frame>
      <form id="change" method="post"></form><form id="search" method="get"></form>
    </turbo-frame>`
})

/** Responds to an element in the frame with a page that lacks the frame. */
function respond(selector: string): CustomEvent {
  const response = new Response("<h1>Not found</h1>", { status: 404 })
  const options = { bubbles: true, cancelable: true }
  find(selector).dispatchEvent(
    new CustomEvent("turbo:before-fetch-response", {
      ...options,
      detail: { fetchResponse: { response } },
    }),
  )
  const missing = new CustomEvent("turbo:frame-missing", {
    ...options,
    detail: { response, visit },
  })
  find("turbo-frame").dispatchEvent(missing)
  return missing
}

test("keeps a submitted form and shows a toast", () => {
  const missing = respond("#change")

  expect(missing.defaultPrevented).toBe(true)
  expect(visit).not.toHaveBeenCalled()
  expect(find("#toasts [role=alert]").textContent).toBe("Not saved.")
})

test.each(["turbo-frame", "#search"])("shows the response to %s as a full page", (selector) => {
  const missing = respond(selector)

  expect(missing.defaultPrevented).toBe(true)
  expect(visit).toHaveBeenCalledWith(missing.detail.response)
  expect(find("#toasts").children).toHaveLength(0)
})
