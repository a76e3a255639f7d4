import { beforeEach, expect, test } from "vitest"
import { find } from "../testing"
import { confirmInDialog } from "./confirmation"

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

test("a page without the dialog is a mistake that shows", () => {
  document.body.innerHTML = ""

  expect(() => confirmInDialog("?")).toThrow("components/confirmation.html")
})
