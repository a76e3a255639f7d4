import { expect, test } from "vitest"
import { morphFrame, restartFirstLoads } from "./frame_morphing"
import { find } from "./testing"

test("morphs frames with data-morph, which keeps focus", () => {
  document.body.innerHTML = `
    <turbo-frame data-morph><a id="one" href="#">One</a></turbo-frame>
    <turbo-frame id="other"></turbo-frame>`
  const renderOf = (selector: string) => {
    const detail: { render?: (current: Element, next: Element) => void } = {}
    const event = new CustomEvent("turbo:before-frame-render", { bubbles: true, detail })
    addEventListener("turbo:before-frame-render", morphFrame, { once: true })
    find(selector).dispatchEvent(event)
    return detail.render
  }
  const next = document.createElement("turbo-frame")
  next.innerHTML = `<p>New</p><a id="one" href="#" aria-current="true">One</a>`
  const link = find("#one")
  link.focus()

  renderOf("[data-morph]")?.(find("[data-morph]"), next)

  expect(find("#one")).toBe(link)
  expect(document.activeElement).toBe(link)
  expect(link.getAttribute("aria-current")).toBe("true")
  expect(renderOf("#other")).toBeUndefined()
})

test("has only lazy frames that have never loaded watched again", () => {
  document.body.innerHTML = `
    <turbo-frame id="cut" loading="lazy" refresh="morph" src="/a"></turbo-frame>
    <turbo-frame id="loaded" loading="lazy" refresh="morph" src="/b" complete></turbo-frame>`
  addEventListener("turbo:frame-load", restartFirstLoads, { once: true })
  find("#loaded").dispatchEvent(new CustomEvent("turbo:frame-load", { bubbles: true }))
  const watched: string[] = []
  for (const frame of document.querySelectorAll("turbo-frame")) {
    frame.setAttribute = (name, value) => watched.push(`${frame.id} ${name}=${value}`)
  }

  addEventListener("turbo:morph", restartFirstLoads, { once: true })
  document.documentElement.dispatchEvent(new CustomEvent("turbo:morph", { bubbles: true }))

  expect(watched).toEqual(["cut loading=lazy"])
})
