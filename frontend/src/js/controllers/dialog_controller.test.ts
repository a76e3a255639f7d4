import { beforeEach, expect, test } from "vitest"
import { find, mount } from "../dovetail/testing"
import DialogController from "./dialog_controller"

const dialog = () => find<HTMLDialogElement>("dialog")

beforeEach(async () => {
  await mount(
    `<div data-controller="dialog">
       <button id="open" data-action="dialog#open">Open</button>
       <dialog data-dialog-target="dialog" data-action="click->dialog#closeOnBackdrop">
         <p>Text</p><button id="close" data-action="dialog#close">Close</button>
       </dialog>
     </div>`,
    { dialog: DialogController },
  )
  find("#open").click()
})

test("opens", () => {
  expect(dialog().open).toBe(true)
})

test("closes", () => {
  find("#close").click()

  expect(dialog().open).toBe(false)
})

test("closes on a click on the backdrop, not on its content", () => {
  find("p").click()
  expect(dialog().open).toBe(true)

  dialog().click()
  expect(dialog().open).toBe(false)
})
