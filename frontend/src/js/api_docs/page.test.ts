import { afterEach, expect, test, vi } from "vitest"
import { followTheme, show } from "./page"

afterEach(() => {
  document.body.replaceChildren()
  delete document.documentElement.dataset.theme
})

test("the page's theme is followed", async () => {
  document.documentElement.dataset.theme = "light"
  const follow = vi.fn()
  followTheme(follow)
  expect(follow.mock.calls).toEqual([[false]])

  document.documentElement.dataset.theme = "dark"
  await vi.waitFor(() => expect(follow.mock.calls).toEqual([[false], [true]]))
})

test("a library that can't be loaded is told and reported", async () => {
  document.body.innerHTML = `<div id="api-docs" data-script="/missing.js"></div>`
  const append = vi.spyOn(document.head, "append").mockImplementation((script) => {
    ;(script as HTMLScriptElement).dispatchEvent(new Event("error"))
  })

  await expect(show(() => undefined)).rejects.toThrow("/missing.js was not loaded")

  expect(document.body.textContent).toContain("couldn’t be loaded")
  append.mockRestore()
})

test("other pages load nothing", async () => {
  const render = vi.fn()
  await show(render)
  expect(render).not.toHaveBeenCalled()
})
