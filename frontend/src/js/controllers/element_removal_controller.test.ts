import { beforeEach, expect, test } from "vitest"
import { find, mount } from "../dovetail/testing"
import ElementRemovalController from "./element_removal_controller"

beforeEach(async () => {
  await mount(
    `<p data-controller="element-removal" data-action="animationend->element-removal#remove">
       Saved. <button data-action="element-removal#remove">Dismiss</button>
     </p>`,
    { "element-removal": ElementRemovalController },
  )
})

test("a click removes the element", () => {
  find("button").click()

  expect(document.querySelector("p")).toBeNull()
})

test("the end of its animation removes the element", () => {
  find("p").dispatchEvent(new Event("animationend"))

  expect(document.querySelector("p")).toBeNull()
})
