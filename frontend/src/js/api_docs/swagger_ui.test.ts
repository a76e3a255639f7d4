import { afterEach, expect, test } from "vitest"
import { complete, withToken } from "./swagger_ui"

const request = (url: string, method?: string) => ({ url, method, headers: {} })

afterEach(() => document.body.replaceChildren())

test.each([
  ["POST", "/api/v1/articles/", "token"],
  ["delete", `${location.origin}/api/v1/articles/1/`, "token"],
  ["GET", "/api/v1/articles/", undefined],
  [undefined, "/api/v1/articles/", undefined],
  ["POST", "https://example.com/api/v1/articles/", undefined],
  ["POST", "//example.com/", undefined],
])("%s %s gets the CSRF token only if it changes this site", (method, url, token) => {
  expect(withToken(request(url, method), "token").headers).toEqual(
    token ? { "X-CSRF-Token": token } : {},
  )
})

test("a visitor has no token to send", () => {
  expect(withToken(request("/", "POST")).headers).toEqual({})
})

test("controls get names", () => {
  document.body.innerHTML = `<main id="operations"><textarea class="body-param__text"></textarea>
    <table><tr data-param-name="author"><td><input></td></tr></table><pre></pre></main>`

  complete(document.body)

  expect(document.querySelector("textarea")?.getAttribute("aria-label")).toBe("Request body")
  expect(document.querySelector("main")?.getAttribute("aria-label")).toBe("Requests")
  expect(document.querySelector("input")?.getAttribute("aria-label")).toBe("author")
  expect(document.querySelector("pre")?.tabIndex).toBe(0)
})
