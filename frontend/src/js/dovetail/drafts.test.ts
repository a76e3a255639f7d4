import { cache } from "@hotwired/turbo"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { startDrafts } from "./drafts"
import { find } from "./testing"

const KEY = "draft:7:/articles/new/:version,title,body,tags,category"

startDrafts()

beforeEach(() => {
  sessionStorage.clear()
  render()
})

afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

function render(user = "7"): void {
  document.head.innerHTML = `<meta name="current-user-id" content="${user}">`
  document.body.innerHTML = `
    <template id="unsaved" data-sign-in="/login/" data-sign-out="/logout/"></template>
    <template id="draft-notice">
      <div data-draft><span data-files hidden></span><button type="button">Discard</button></div>
    </template>
    <form id="write" method="post" action="/articles/new/">
      <input type="hidden" name="csrfmiddlewaretoken" value="secret">
      <input type="hidden" name="version" value="v1" data-version autocomplete="off">
      <input name="title"><textarea name="body"></textarea>
      <input type="checkbox" name="tags" value="a" checked><input type="checkbox" name="tags" value="b">
      <select name="category"><option value="x"></option><option value="y"></option></select>
      <input type="password" name="password"><input type="file" name="cover">
      <input name="card" autocomplete="cc-number"><input name="code" autocomplete="one-time-code">
      <input name="private" autocomplete="off">
    </form>
    <form id="other" method="post" action="/articles/new/"><input name="another"></form>
    <form id="out" method="post" action="/logout/" data-turbo="false"></form>`
}

const field = (name: string) => find<HTMLInputElement>(`#write [name=${name}]`)

function type(): void {
  for (const name of ["title", "body", "password", "card", "code", "private"])
    field(name).value = `my ${name}`
  find<HTMLInputElement>("[value=a]").checked = false
  find<HTMLInputElement>("[value=b]").checked = true
  find<HTMLSelectElement>("select").value = "y"
}

function submit(): void {
  find("#write").dispatchEvent(new CustomEvent("turbo:submit-start", { bubbles: true }))
}

function respond(success: boolean, status: number, url = ""): void {
  const response = new Response("", { status })
  if (url) Object.defineProperties(response, { redirected: { value: true }, url: { value: url } })
  const detail = { success, fetchResponse: { response } }
  find("#write").dispatchEvent(new CustomEvent("turbo:submit-end", { bubbles: true, detail }))
}

const load = () => dispatchEvent(new Event("turbo:load"))

test("restores a form after a detour to the sign-in", () => {
  type()
  submit()
  respond(true, 200, "http://localhost:3000/login/")
  render()
  field("version").value = "v2"
  load()

  expect([field("title").value, field("body").value]).toEqual(["my title", "my body"])
  expect(find<HTMLInputElement>("[value=a]").checked).toBe(false)
  expect(find<HTMLInputElement>("[value=b]").checked).toBe(true)
  expect(find<HTMLSelectElement>("select").value).toBe("y")
  expect(field("version").value).toBe("v1")
  expect(find("[data-files]").hidden).toBe(false)
  expect(document.querySelectorAll("[data-draft]")).toHaveLength(1)
})

test("keeps no secret", () => {
  type()
  submit()

  const draft = sessionStorage.getItem(KEY)
  for (const secret of ["secret", "my password", "my card", "my code", "my private"])
    expect(draft).not.toContain(secret)
  expect(draft).toContain("my title")
})

test("discards on request", () => {
  type()
  submit()
  render()
  load()
  find("[data-draft] button").click()

  expect(field("title").value).toBe("")
  expect(find<HTMLInputElement>("[value=a]").checked).toBe(true)
  expect(field("version").value).toBe("v1")
  expect(document.querySelector("[data-draft]")).toBeNull()
  expect(sessionStorage.getItem(KEY)).toBeNull()
})

test("forgets the text after success", () => {
  type()
  submit()
  respond(true, 200)
  expect(sessionStorage).toHaveLength(0)
})

test.each([422, 409, 500])("keeps the text after status %d, which saved nothing", (status) => {
  type()
  submit()
  respond(false, status)
  expect(sessionStorage).toHaveLength(1)
})

test("restores neither for someone else nor after a day", () => {
  vi.useFakeTimers()
  type()
  submit()
  render("8")
  load()
  expect(field("title").value).toBe("")
  expect(sessionStorage).toHaveLength(0)

  render()
  type()
  submit()
  vi.advanceTimersByTime(24 * 60 * 60 * 1000)
  render()
  load()
  expect(field("title").value).toBe("")
  expect(sessionStorage).toHaveLength(0)
})

test("waits while no one is signed in", () => {
  type()
  submit()
  render("")
  load()

  expect(field("title").value).toBe("")
  expect(sessionStorage).toHaveLength(1)
})

test("forgets everything on sign-out, in other tabs, too", () => {
  type()
  submit()
  find("#out").dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }))
  expect(sessionStorage).toHaveLength(0)

  submit()
  const clear = vi.spyOn(cache, "clear")
  dispatchEvent(Object.assign(new Event("storage"), { key: "drafts:signed-out" }))
  expect(sessionStorage).toHaveLength(0)
  expect(clear).toHaveBeenCalledOnce() // of the pages that "back" would show
})

test("keeps nothing that is very long, and survives a full storage", () => {
  field("title").value = "x".repeat(200_000)
  submit()
  expect(sessionStorage).toHaveLength(0)

  type()
  vi.stubGlobal("sessionStorage", {
    setItem: () => {
      throw new DOMException("", "QuotaExceededError")
    },
  })
  expect(submit).not.toThrow()
})
