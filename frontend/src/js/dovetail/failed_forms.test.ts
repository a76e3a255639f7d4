import { afterEach, beforeEach, expect, test, vi } from "vitest"
import {
  correctSuccess,
  ignoreReported,
  keepFailedForm,
  keepUnsentForm,
  trustDrafts,
} from "./failed_forms"
import { find } from "./testing"

addEventListener("turbo:before-fetch-response", keepFailedForm)
addEventListener("turbo:fetch-request-error", keepUnsentForm)

const LOGIN = "http://localhost:3000/accounts/login/"
const fetched = vi.fn<typeof fetch>()

beforeEach(() => {
  document.head.innerHTML = '<meta name="current-user-id" content="7">'
  document.body.innerHTML = `
    <div id="toasts"></div>
    <template id="unsaved" data-sign-in="/accounts/login/">
      <div role="alert"><p>Not saved.</p><button>Dismiss</button></div>
    </template>
    <form id="change" method="post">
      <input type="hidden" name="csrfmiddlewaretoken" value="stale"><input name="title">
      <button>Save</button>
    </form>
    <form id="search"></form>
    <turbo-frame src="/frame/"><form id="framed" method="post"></form></turbo-frame>`
  fetched.mockReset().mockImplementation(async () => page("7", "fresh"))
  vi.stubGlobal("fetch", fetched)
  trustDrafts(() => true)
})

afterEach(() => vi.unstubAllGlobals())

function page(user: string, token: string): Response {
  return new Response(
    `<meta name="current-user-id" content="${user}">
     <input name="csrfmiddlewaretoken" value="${token}">`,
  )
}

function responded(selector: string, response: Response): CustomEvent {
  const event = new CustomEvent("turbo:before-fetch-response", {
    bubbles: true,
    cancelable: true,
    detail: { fetchResponse: { response } },
  })
  find(selector).dispatchEvent(event)
  return event
}

function redirectedTo(url: string): Response {
  const response = new Response("", { status: 200 })
  Object.defineProperties(response, { redirected: { value: true }, url: { value: url } })
  return response
}

const alert = () => vi.waitUntil(() => document.querySelector<HTMLElement>("#toasts [role=alert]"))

test.each([400, 401, 403, 404, 405, 410, 413, 429, 500, 502, 503, 504])(
  "keeps the form after status %d and gives it a fresh token",
  async (status) => {
    expect(responded("#change", new Response("", { status })).defaultPrevented).toBe(true)

    expect((await alert()).textContent).toContain("Your text is still here.")
    expect(document.activeElement).toBe(await alert())
    expect(find<HTMLInputElement>("#change [type=hidden]").value).toBe("fresh")
  },
)

test.each([200, 409, 422])("lets Turbo render a page with status %d", (status) => {
  expect(responded("#change", new Response("", { status })).defaultPrevented).toBe(false)
})

test("leaves searches and stream responses to Turbo", () => {
  const headers = { "Content-Type": "text/vnd.turbo-stream.html; charset=utf-8" }

  expect(responded("#search", new Response("", { status: 500 })).defaultPrevented).toBe(false)
  const stream = new Response("", { status: 403, headers })
  expect(responded("#change", stream).defaultPrevented).toBe(false)
})

test("fetches the token of a form in a frame from the frame's page", async () => {
  responded("#framed", new Response("", { status: 403 }))
  await alert()

  expect(fetched.mock.calls[0]?.[0]).toBe("/frame/")
})

test("does not renew the token for someone else who has signed in", async () => {
  fetched.mockImplementation(async () => page("8", "theirs"))
  responded("#change", new Response("", { status: 403 }))
  await alert()

  expect(find<HTMLInputElement>("#change [type=hidden]").value).toBe("stale")
})

test("offers a sign-in if the session has ended", async () => {
  fetched.mockImplementation(async () => page("", "anonymous"))
  responded("#change", new Response("", { status: 403 }))

  const link = (await alert()).querySelector("a")
  expect(link?.getAttribute("href")).toMatch(/^\/accounts\/login\/\?next=/)
})

test("follows a redirect to the sign-in only if the text is kept", () => {
  expect(responded("#change", redirectedTo(LOGIN)).defaultPrevented).toBe(false)
  expect(responded("#framed", redirectedTo(LOGIN)).defaultPrevented).toBe(true)

  trustDrafts(() => false)
  expect(responded("#change", redirectedTo(LOGIN)).defaultPrevented).toBe(true)
})

test("tells other listeners that a kept form did not succeed", () => {
  const { fetchResponse } = responded("#framed", redirectedTo(LOGIN)).detail
  const event = new CustomEvent("turbo:submit-end", { detail: { success: true, fetchResponse } })
  correctSuccess(event)

  expect(event.detail.success).toBe(false)
})

test("lets a form with errors bring its new version", () => {
  find("#change input").dataset.version = ""
  responded("#change", new Response("", { status: 409 }))

  expect(document.querySelector("[data-version]")).toBeNull()
})

test("keeps the form without a network, and replaces the message before", async () => {
  const error = new TypeError("Failed to fetch")
  for (let attempt = 0; attempt < 2; attempt++) {
    find("#change").dispatchEvent(
      new CustomEvent("turbo:fetch-request-error", {
        bubbles: true,
        cancelable: true,
        detail: { error },
      }),
    )
  }

  expect((await alert()).textContent).toContain("Check your network")
  expect(document.querySelectorAll("[role=alert]")).toHaveLength(1)
  expect(fetched).not.toHaveBeenCalled()
  const rejection = new Event("unhandledrejection", { cancelable: true })
  ignoreReported(Object.assign(rejection, { reason: error }) as PromiseRejectionEvent)
  expect(rejection.defaultPrevented).toBe(true)
})

test("returns the focus when the message is dismissed", async () => {
  find("#change button").focus()
  responded("#change", new Response("", { status: 500 }))
  await alert()
  find("#toasts button").click()

  expect(document.activeElement).toBe(find("#change button"))
})
