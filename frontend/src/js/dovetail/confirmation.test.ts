import { beforeEach, expect, test, vi } from "vitest"
import { confirmInDialog, dismissConfirmation } from "./confirmation"
import { find } from "./testing"

const dialog = () => find<HTMLDialogElement>("dialog")

beforeEach(() => {
  document.body.innerHTML = '<dialog id="confirmation"><p data-message></p></dialog>'
})

test("shows the message in the dialog", () => {
  confirmInDialog("Delete it?")

  expect(dialog().open).toBe(true)
  expect(find("p").textContent).toBe("Delete it?")
})

test.each([
  ["yes", true],
  ["no", false],
  ["", false],
])("closing with %j returns %s", async (value, answer) => {
  const asked = confirmInDialog("Delete it?")

  dialog().close(value)

  expect(await asked).toBe(answer)
})

test("a confirmation does not carry over to the next one", async () => {
  const first = confirmInDialog("Delete it?")
  dialog().close("yes")
  await first

  const second = confirmInDialog("Delete that?")
  dialog().close()
  expect(await second).toBe(false)
})

test("leaving the page cancels the confirmation", async () => {
  const asked = confirmInDialog("Delete it?")

  dismissConfirmation()

  expect(dialog().open).toBe(false)
  expect(await asked).toBe(false)
})

test("a second confirmation cancels the first", async () => {
  const first = confirmInDialog("Delete it?")
  const second = confirmInDialog("Delete that?")
  expect(await first).toBe(false)

  await vi.waitUntil(() => dialog().open)
  expect(find("p").textContent).toBe("Delete that?")
  dialog().close("yes")
  expect(await second).toBe(true)
})

test("dismissing without an open confirmation does nothing", async () => {
  await dismissConfirmation()
  document.body.innerHTML = ""
  await dismissConfirmation()
})

test("throws if the page lacks the dialog", async () => {
  document.body.innerHTML = ""

  await expect(confirmInDialog("?")).rejects.toThrow("components/confirmation.html")
})
