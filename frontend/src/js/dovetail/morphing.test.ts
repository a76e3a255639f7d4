import { beforeEach, expect, test } from "vitest"
import { keepAttributes, keepUnsaved } from "./morphing"
import { find } from "./testing"
import { isUnsaved } from "./unsaved"

addEventListener("turbo:before-morph-attribute", keepAttributes)
addEventListener("turbo:before-morph-element", keepUnsaved)

function keepsAttribute(selector: string, attributeName: string): boolean {
  const detail = { attributeName, mutationType: "remove" }
  const options = { bubbles: true, cancelable: true, detail }
  return !find(selector).dispatchEvent(new CustomEvent("turbo:before-morph-attribute", options))
}

function keeps(selector: string, newElement?: Element): boolean {
  const options = { bubbles: true, cancelable: true, detail: { newElement } }
  return !find(selector).dispatchEvent(new CustomEvent("turbo:before-morph-element", options))
}

const replacement = (html: string) => {
  const element = document.createElement("template")
  element.innerHTML = html
  return element.content.firstElementChild as Element
}

beforeEach(() => {
  document.body.innerHTML = `
    <turbo-cable-stream-source connected></turbo-cable-stream-source>
    <details open></details><dialog open></dialog>
    <form>
      <input id="text" value="as sent"><textarea>as sent</textarea>
      <input id="check" type="checkbox"><input id="secret" type="hidden" value="token">
      <select id="plain"><option>a</option><option>b</option></select>
      <select id="chosen"><option>a</option><option selected>b</option></select>
    </form>
    <turbo-frame id="closed"><p>Text</p></turbo-frame>
    <turbo-frame id="opened" src="/edit"><input></turbo-frame>`
})

test("keeps state that the server does not render", () => {
  expect(keepsAttribute("turbo-cable-stream-source", "connected")).toBe(true)
  expect(keepsAttribute("details", "open")).toBe(true)
  expect(keepsAttribute("dialog", "open")).toBe(true)
})

test("changes other attributes", () => {
  expect(keepsAttribute("details", "class")).toBe(false)
  expect(keepsAttribute("turbo-cable-stream-source", "signed-stream-name")).toBe(false)
})

test("changes fields without unsaved input", () => {
  for (const id of ["#text", "textarea", "#check", "#secret", "#plain", "#chosen"]) {
    expect(isUnsaved(find(id)), id).toBe(false)
  }
  expect(keeps("#text", replacement('<input value="new">'))).toBe(false)
})

test("keeps unsaved input", () => {
  find<HTMLInputElement>("#text").value = "typed"
  find<HTMLTextAreaElement>("textarea").value = "typed"
  find<HTMLInputElement>("#check").checked = true
  find<HTMLSelectElement>("#plain").selectedIndex = 1
  find<HTMLSelectElement>("#chosen").selectedIndex = 0

  for (const id of ["#text", "textarea", "#check", "#plain", "#chosen"]) {
    expect(keeps(id, replacement("<input>")), id).toBe(true)
  }
})

test("a changed hidden field is not unsaved input", () => {
  find<HTMLInputElement>("#secret").value = "another"

  expect(isUnsaved(find("#secret"))).toBe(false)
})

test("keeps a removed form that contains unsaved input", () => {
  expect(keeps("form")).toBe(false)

  find<HTMLTextAreaElement>("textarea").value = "typed"
  expect(keeps("form")).toBe(true)
})

test("keeps a form that was opened in a frame", () => {
  expect(keeps("#opened", replacement('<turbo-frame id="opened"></turbo-frame>'))).toBe(true)
  expect(keeps("#closed", replacement('<turbo-frame id="closed"></turbo-frame>'))).toBe(false)
})

test("keeps the version that unsaved text is based on", () => {
  document.body.innerHTML = `
    <form><input id="version" type="hidden" value="v1" data-version><input id="text"></form>`
  const newer = replacement('<input id="version" type="hidden" value="v2" data-version>')
  expect(keeps("#version", newer)).toBe(false)

  find<HTMLInputElement>("#text").value = "typed"
  expect(keeps("#version", newer)).toBe(true)
})

test("keeps errors and notices that the server does not render", () => {
  document.body.innerHTML = '<p data-kept></p><p class="other"></p>'

  expect(keeps("[data-kept]")).toBe(true)
  expect(keeps(".other")).toBe(false)
})
