import { afterEach, expect, test } from "vitest"
import { find, mount } from "../dovetail/testing"
import VisibleToController from "./visible_to_controller"

async function shownTo(current: string, user: string): Promise<boolean> {
  document.head.innerHTML = `<meta name="current-user-id" content="${current}">`
  await mount(
    `<p hidden data-controller="visible-to" data-visible-to-user-value="${user}"
        data-action="turbo:morph-element->visible-to#update"></p>`,
    { "visible-to": VisibleToController },
  )
  return !find("p").hidden
}

afterEach(() => {
  document.head.innerHTML = ""
})

test("shows the element to its user", async () => {
  expect(await shownTo("7", "7")).toBe(true)
})

test.each([
  ["8", "7"],
  ["", "7"],
  ["", ""],
])("hides the element from other users (%j)", async (current, user) => {
  expect(await shownTo(current, user)).toBe(false)
})

test("the element stays visible after a refresh by morph", async () => {
  await shownTo("7", "7")

  find("p").hidden = true // as rendered by the server
  find("p").dispatchEvent(new CustomEvent("turbo:morph-element", { bubbles: true }))

  expect(find("p").hidden).toBe(false)
})
