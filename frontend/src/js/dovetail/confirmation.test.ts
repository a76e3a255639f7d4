import { beforeEach, expect, test, vi } from "vitest"
import { find } from "../testing"
import { confirmInDialog, dismissQuestion } from "./confirmation"

const dialog = () => find<HTMLDialogElement>("dialog")

beforeEach(() => {
  document.body.innerHTML = '<dialog id="confirmation"><p data-message></p></dialog>'
})

test("asks the question", () => {
  confirmInDialog("Delete it?")

  expect(dialog().open).toBe(true)
  expect(find("p").textContent).toBe("Delete it?")
})

test.each([
  ["yes", true],
  ["no", false],
  ["", false],
])("an answer of %j is %s", async (value, answer) => {
  const asked = confirmInDialog("Delete it?")

  dialog().close(value)

  expect(await asked).toBe(answer)
})

test("yes once is not yes for ever", async () => {
  const first = confirmInDialog("Delete it?")
  dialog().close("yes")
  await first

  const second = confirmInDialog("Delete that?")
  dialog().close()
  expect(await second).toBe(false)
})

test("a page that is left takes its question along", async () => {
  const asked = confirmInDialog("Delete it?")

  dismissQuestion()

  expect(dialog().open).toBe(false)
  expect(await asked).toBe(false)
})

test("a dialog that stands open is no obstacle", async () => {
  const first = confirmInDialog("Delete it?")
  const second = confirmInDialog("Delete that?")
  expect(await first).toBe(false)

  await vi.waitUntil(() => dialog().open)
  expect(find("p").textContent).toBe("Delete that?")
  dialog().close("yes")
  expect(await second).toBe(true)
})

test("where nothing was asked nothing happens", async () => {
  await dismissQuestion()
  document.body.innerHTML = ""
  await dismissQuestion()
})

test("a page without the dialog is a mistake that shows", async () => {
  document.body.innerHTML = ""

  await expect(confirmInDialog("?")).rejects.toThrow("components/confirmation.html")
})
