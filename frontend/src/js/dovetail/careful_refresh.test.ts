import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { showIfKept } from "./careful_refresh"
import { find } from "./testing"

const fetched = vi.fn<typeof fetch>()
const show = vi.fn()

function page(user = "7", status = 200, url = ""): Response {
  const html = `<meta name="current-user-id" content="${user}">`
  const response = new Response(html, { status })
  Object.defineProperty(response, "redirected", { value: url !== "" })
  Object.defineProperty(response, "url", { value: url })
  return response
}

beforeEach(async () => {
  document.head.innerHTML = '<meta name="current-user-id" content="7">'
  document.body.innerHTML = `
    <textarea autofocus></textarea><div id="toasts"></div>
    <template id="unsaved" data-sign-in="/accounts/login/">
      <div role="alert"><p></p><button>Dismiss</button></div>
    </template>`
  vi.stubGlobal("fetch", fetched)
  fetched.mockReset().mockResolvedValue(page())
  await showIfKept(document.baseURI, show) // forgets what the user was told last
  show.mockReset()
})

afterEach(() => vi.unstubAllGlobals())

test("shows a page that is still there", async () => {
  fetched.mockResolvedValue(page())
  await showIfKept(document.baseURI, show)
  expect(show).toHaveBeenCalledOnce()
})

test.each([
  ["an error", () => page("7", 500), "on our side"],
  ["a page that is gone", () => page("7", 404), "lost access"],
  [
    "a sign-in",
    () => page("", 200, "http://localhost:3000/accounts/login/"),
    "no longer signed in",
  ],
  ["someone else's page", () => page("8"), "no longer signed in"],
  ["another page", () => page("7", 200, "http://localhost:3000/articles/"), "lost access"],
])("keeps the page instead of %s", async (_, answer, reason) => {
  const area = find<HTMLTextAreaElement>("textarea")
  area.focus()
  fetched.mockImplementation(async () => answer())
  await showIfKept(document.baseURI, show)
  expect(show).not.toHaveBeenCalled()
  expect(find("#toasts [role=alert]").textContent).toContain(reason)
  expect(document.activeElement).toBe(area)
})

test("keeps the page without a network, and says so once", async () => {
  fetched.mockRejectedValue(new TypeError("offline"))
  await showIfKept(document.baseURI, show)
  expect(find("#toasts [role=alert]").textContent).toContain("Check your network")
  find("#toasts").innerHTML = ""
  await showIfKept(document.baseURI, show)
  expect(find("#toasts").innerHTML).toBe("")
  expect(show).not.toHaveBeenCalled()
})
