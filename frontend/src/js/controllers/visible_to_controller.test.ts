import { afterEach, expect, test } from "vitest"
import { find, mount } from "../testing"
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

test("a person sees what is theirs", async () => {
  expect(await shownTo("7", "7")).toBe(true)
})

test.each([
  ["8", "7"],
  ["", "7"],
  ["", ""],
])("somebody else (%j) does not", async (current, user) => {
  expect(await shownTo(current, user)).toBe(false)
})

test("a refresh by morph does not take it away", async () => {
  await shownTo("7", "7")

  find("p").hidden = true // as the server renders it
  find("p").dispatchEvent(new CustomEvent("turbo:morph-element", { bubbles: true }))

  expect(find("p").hidden).toBe(false)
})
