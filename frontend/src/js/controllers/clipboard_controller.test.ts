import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { find, mount } from "../dovetail/testing"
import ClipboardController from "./clipboard_controller"

beforeEach(() => {
  vi.useFakeTimers()
  vi.spyOn(navigator.clipboard, "writeText").mockResolvedValue()
})

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const TOASTS = '<div id="toasts"></div><template id="unsaved"><p role="alert"></p></template>'

async function copy(attributes = "", more = ""): Promise<void> {
  await mount(
    `<button data-controller="clipboard" data-action="clipboard#copy" ${attributes}>
       <span data-clipboard-target="label">Copy link</span>
     </button>${more}`,
    { clipboard: ClipboardController },
  )
  find("button").click()
  await vi.advanceTimersByTimeAsync(0)
}

test("copies the page's address by default", async () => {
  await copy()

  expect(navigator.clipboard.writeText).toHaveBeenCalledWith(location.href)
})

test("copies a given text", async () => {
  await copy('data-clipboard-text-value="mortise"')

  expect(navigator.clipboard.writeText).toHaveBeenCalledWith("mortise")
})

test("briefly changes the label", async () => {
  await copy()
  expect(find("span").textContent).toBe("Copied")

  vi.advanceTimersByTime(2000)
  expect(find("span").textContent).toBe("Copy link")
})

test("shows the text if the browser does not allow copying", async () => {
  vi.spyOn(navigator.clipboard, "writeText").mockRejectedValue(
    new DOMException("", "NotAllowedError"),
  )
  await copy('data-clipboard-text-value="mortise"', TOASTS)

  expect(find("#toasts [role=alert]").textContent).toContain("copy it yourself: mortise")
  expect(find("span").textContent).toBe("Copy link")
})
