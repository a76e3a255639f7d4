import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { find, mount } from "../dovetail/testing"
import AnimateController from "./animate_controller"

let motion = true

const page = `
  <div data-controller="animate" data-action="turbo:before-cache@document->animate#disconnect">
    <p data-animate-target="item">One</p>
  </div>`

beforeEach(() => {
  vi.stubGlobal("matchMedia", (media: string) => ({
    matches: media.includes("no-preference") ? motion : !motion,
    media,
    addListener: () => {},
    addEventListener: () => {},
    removeListener: () => {},
    removeEventListener: () => {},
  }))
})

afterEach(() => {
  motion = true
  vi.unstubAllGlobals()
  delete document.documentElement.dataset.turboPreview
})

const animated = () => find("p").style.opacity !== ""

test("animates its items", async () => {
  await mount(page, { animate: AnimateController })

  await vi.waitUntil(animated, { timeout: 10_000 })
})

test("leaves no styles in a page that Turbo caches", async () => {
  await mount(page, { animate: AnimateController })
  await vi.waitUntil(animated, { timeout: 10_000 })

  document.dispatchEvent(new CustomEvent("turbo:before-cache"))

  expect(find("p").getAttribute("style") ?? "").toBe("")
})

test("does not animate under reduced motion", async () => {
  motion = false
  await mount(page, { animate: AnimateController })
  await new Promise((resolve) => setTimeout(resolve, 50))

  expect(animated()).toBe(false)
})

test("does not animate in a preview", async () => {
  document.documentElement.dataset.turboPreview = ""
  await mount(page, { animate: AnimateController })
  await new Promise((resolve) => setTimeout(resolve, 50))

  expect(animated()).toBe(false)
})
