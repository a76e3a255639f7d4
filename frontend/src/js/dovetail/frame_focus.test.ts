import { beforeEach, expect, test } from "vitest"
import { find } from "../testing"
import { focusFrame, noteFocusedFrame, noteSubmittedFrame } from "./frame_focus"

addEventListener("turbo:submit-end", noteSubmittedFrame)
addEventListener("turbo:before-frame-render", noteFocusedFrame)
addEventListener("turbo:frame-render", focusFrame)

const FORM = '<form><input type="hidden"><textarea></textarea><button></button></form>'

beforeEach(() => {
  document.body.innerHTML = `
    <turbo-frame id="one" tabindex="-1"><a href="#">Edit</a></turbo-frame>
    <turbo-frame id="two" tabindex="-1"><a href="#">Edit</a></turbo-frame>`
})

const say = (target: Element, type: string, detail = {}) =>
  target.dispatchEvent(new CustomEvent(type, { bubbles: true, detail }))

function render(html: string, frame = find("#one")): void {
  say(frame, "turbo:before-frame-render")
  frame.innerHTML = html
  say(frame, "turbo:frame-render")
}

function submit(isHTML: boolean): void {
  const formElement = find<HTMLFormElement>("form")
  const detail = { success: true, fetchResponse: { isHTML }, formSubmission: { formElement } }
  say(document.documentElement, "turbo:submit-end", detail) // as when the form has gone
}

test("a form that was opened by a link is there to be written in", () => {
  find("#one a").focus()
  render(FORM)

  expect(document.activeElement).toBe(find("textarea"))
})

test("after a form, or a link out of it, the frame has the focus", () => {
  find("#one").innerHTML = FORM
  submit(true)
  render("<p>Saved</p>")
  expect(document.activeElement).toBe(find("#one"))

  render('<p>Saved</p><a href="#">Edit</a>')
  expect(document.activeElement).toBe(find("#one"))
})

test("a frame that took the place of the form's own has it too", () => {
  find("#one").innerHTML = FORM
  submit(true)
  find("#one").outerHTML = '<turbo-frame id="one" tabindex="-1"><p>Saved</p></turbo-frame>'
  say(document.documentElement, "turbo:frame-render")

  expect(document.activeElement).toBe(find("#one"))
})

test("a frame that loads, or answers with a stream, takes no focus", () => {
  render(FORM, find("#two"))
  expect(document.activeElement).toBe(document.body)

  submit(false)
  render("<p>New</p>", find("#two"))
  expect(document.activeElement).toBe(document.body)
})

test("what has the focus keeps it", () => {
  find("#one a").focus()
  say(find("#one"), "turbo:before-frame-render")
  find("#two a").focus()
  say(find("#one"), "turbo:frame-render")

  expect(document.activeElement).toBe(find("#two a"))
})
