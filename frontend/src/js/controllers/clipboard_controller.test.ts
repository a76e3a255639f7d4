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

async function copy(attributes = ""): Promise<void> {
  await mount(
    `<button data-controller="clipboard" data-action="clipboard#copy" ${attributes}>
       <span data-clipboard-target="label">Copy link</span>
     </button>`,
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
