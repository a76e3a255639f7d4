import { beforeEach, expect, test } from "vitest"
import { find, mount } from "../dovetail/testing"
import FormResetController from "./form_reset_controller"

const area = () => find<HTMLTextAreaElement>("textarea")

function end(success: boolean): void {
  find("form").dispatchEvent(new CustomEvent("turbo:submit-end", { detail: { success } }))
}

beforeEach(async () => {
  await mount(
    `<form data-controller="form-reset" data-action="turbo:submit-start->form-reset#remember turbo:submit-end->form-reset#reset">
       <textarea name="body"></textarea>
     </form>`,
    { "form-reset": FormResetController },
  )
  area().value = "A comment"
  find("form").dispatchEvent(new CustomEvent("turbo:submit-start"))
})

test("a successful submission resets the form", () => {
  end(true)

  expect(area().value).toBe("")
})

test("a failed submission keeps the input", () => {
  end(false)

  expect(area().value).toBe("A comment")
})

test("what was typed during the submission stays", () => {
  area().value = "Another comment"
  end(true)

  expect(area().value).toBe("Another comment")
})
