import { beforeEach, expect, test } from "vitest"
import { find, mount } from "../dovetail/testing"
import ThemeController from "./theme_controller"

const page = `
  <div data-controller="theme">
    <button data-theme-target="choice" data-action="theme#choose" data-theme-name-param="light"></button>
    <button data-theme-target="choice" data-action="theme#choose" data-theme-name-param="dark"></button>
    <button data-theme-target="choice" data-action="theme#choose" data-theme-name-param=""></button>
  </div>`

const choice = (name: string) => find(`[data-theme-name-param="${name}"]`)
const pressed = () =>
  Array.from(document.querySelectorAll("button"), (button) => button.getAttribute("aria-pressed"))

beforeEach(() => {
  delete document.documentElement.dataset.theme
  // biome-ignore lint/suspicious/noDocumentCookie: as the controller does
  document.cookie = "theme=; Path=/; Max-Age=0"
})

test("marks the system theme as chosen if the server rendered none", async () => {
  await mount(page, { theme: ThemeController })

  expect(pressed()).toEqual(["false", "false", "true"])
})

test("marks the theme that the server rendered as chosen", async () => {
  document.documentElement.dataset.theme = "dark"
  await mount(page, { theme: ThemeController })

  expect(pressed()).toEqual(["false", "true", "false"])
})

test("a choice changes the page immediately and is stored in a cookie", async () => {
  await mount(page, { theme: ThemeController })

  choice("dark").click()

  expect(document.documentElement.dataset.theme).toBe("dark")
  expect(document.cookie).toContain("theme=dark")
  expect(pressed()).toEqual(["false", "true", "false"])
})

test("the server names the cookie, since those of other ports of the host are shared", async () => {
  await mount(page.replace(">", ' data-theme-cookie-value="theme_8100">'), {
    theme: ThemeController,
  })

  choice("dark").click()
  expect(document.cookie).toContain("theme_8100=dark")

  choice("").click()
  expect(document.cookie).not.toContain("dark")
})

test("choosing the system theme removes the cookie", async () => {
  await mount(page, { theme: ThemeController })
  choice("dark").click()

  choice("").click()

  expect(document.documentElement.hasAttribute("data-theme")).toBe(false)
  expect(document.cookie).not.toContain("dark")
  expect(pressed()).toEqual(["false", "false", "true"])
})
