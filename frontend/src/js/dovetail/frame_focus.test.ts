import { beforeEach, expect, test } from "vitest"
import { focusFrame, rememberFocusedFrame, rememberSubmittedFrame } from "./frame_focus"
import { find } from "./testing"

addEventListener("turbo:submit-end", rememberSubmittedFrame)
addEventListener("turbo:before-frame-render", rememberFocusedFrame)
addEventListener("turbo:frame-render", focusFrame)

const FORM = '<form><input type="hidden"><textarea></textarea><button></button></form>'

beforeEach(() => {
  document.body.innerHTML = `
    <turbo-frame id="one" tabindex="-1"><a href="#">Edit</a></turbo-frame>
    <turbo-frame id="two" tabindex="-1"><a href="#">Edit</a></turbo-frame>`
})

const dispatch = (target: Element, type: string, detail = {}) =>
  target.dispatchEvent(new CustomEvent(type, { bubbles: true, detail }))

function render(html: string, frame = find("#one")): void {
  dispatch(frame, "turbo:before-frame-render")
  frame.innerHTML = html
  dispatch(frame, "turbo:frame-render")
}

function submit(isHTML: boolean): void {
  const formElement = find<HTMLFormElement>("form")
  const detail = { success: true, fetchResponse: { isHTML }, formSubmission: { formElement } }
  // Turbo dispatches it here if the form has left the page.
  dispatch(document.documentElement, "turbo:submit-end", detail)
}

test("focuses the first field of a form opened by a link", () => {
  find("#one a").focus()
  render(FORM)

  expect(document.activeElement).toBe(find("textarea"))
})

test("focuses the frame after a form or a link is replaced", () => {
  find("#one").innerHTML = FORM
  submit(true)
  render("<p>Saved</p>")
  expect(document.activeElement).toBe(find("#one"))

  render('<p>Saved</p><a href="#">Edit</a>')
  expect(document.activeElement).toBe(find("#one"))
})

test("focuses a frame that has replaced the form's frame", () => {
  find("#one").innerHTML = FORM
  submit(true)
  find("#one").outerHTML = '<turbo-frame id="one" tabindex="-1"><p>Saved</p></turbo-frame>'
  dispatch(document.documentElement, "turbo:frame-render")

  expect(document.activeElement).toBe(find("#one"))
})

test("does not move focus when a frame loads or a stream is returned", () => {
  render(FORM, find("#two"))
  expect(document.activeElement).toBe(document.body)

  submit(false)
  render("<p>New</p>", find("#two"))
  expect(document.activeElement).toBe(document.body)
})

test("does not take focus from another element", () => {
  find("#one a").focus()
  dispatch(find("#one"), "turbo:before-frame-render")
  find("#two a").focus()
  dispatch(find("#one"), "turbo:frame-render")

  expect(document.activeElement).toBe(find("#two a"))
})
