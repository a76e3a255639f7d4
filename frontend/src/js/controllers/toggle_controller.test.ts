import { beforeEach, expect, test } from "vitest"
import { find, mount } from "../dovetail/testing"
import ToggleController from "./toggle_controller"

beforeEach(async () => {
  await mount(
    `<div data-controller="toggle">
       <button data-toggle-target="button" data-action="toggle#toggle" aria-expanded="false"></button>
       <p data-toggle-target="content" hidden></p>
     </div>`,
    { toggle: ToggleController },
  )
})

test("clicks show and hide the content", () => {
  find("button").click()
  expect(find("p").hidden).toBe(false)
  expect(find("button").getAttribute("aria-expanded")).toBe("true")

  find("button").click()
  expect(find("p").hidden).toBe(true)
  expect(find("button").getAttribute("aria-expanded")).toBe("false")
})
