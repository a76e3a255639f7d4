import { beforeEach, expect, test } from "vitest"
import { find, mount } from "../dovetail/testing"
import MenuController from "./menu_controller"

const menu = () => find<HTMLDetailsElement>("details")

beforeEach(async () => {
  await mount(
    `<details open data-controller="menu"
       data-action="click@document->menu#closeOnLeave focusout->menu#closeOnLeave keydown.esc->menu#closeOnEscape">
       <summary>Menu</summary>
       <a href="#">Inside</a>
     </details>
     <button>Outside</button>`,
    { menu: MenuController },
  )
})

test("a click outside closes the menu", () => {
  find("button").click()

  expect(menu().open).toBe(false)
})

test("a click inside keeps the menu open", () => {
  find("a").click()

  expect(menu().open).toBe(true)
})

test("Escape closes the menu and returns focus to its button", () => {
  find("a").dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }))

  expect(menu().open).toBe(false)
  expect(document.activeElement).toBe(find("summary"))
})

test("the menu closes when focus moves outside", () => {
  find("a").dispatchEvent(
    new FocusEvent("focusout", { relatedTarget: find("button"), bubbles: true }),
  )

  expect(menu().open).toBe(false)
})

test("the menu stays open when focus moves inside, or when the window loses focus", () => {
  find("a").dispatchEvent(
    new FocusEvent("focusout", { relatedTarget: find("summary"), bubbles: true }),
  )
  find("a").dispatchEvent(new FocusEvent("focusout", { relatedTarget: null, bubbles: true }))

  expect(menu().open).toBe(true)
})
