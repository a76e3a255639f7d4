// @vitest-environment node
/// <reference types="node" />
import { expect, describe as group, test } from "vitest"
import { createApi, describe, type Problem } from "./client"

test("a problem is described with its places", () => {
  const problem: Problem = {
    type: "about:blank",
    title: "Bad Request",
    status: 400,
    code: "invalid",
    detail: "The request has errors.",
    errors: [
      { pointer: "#/title", code: "required", detail: "This field is required." },
      { parameter: "page_size", code: "invalid", detail: "Must be a whole number." },
    ],
  }
  expect(describe(problem)).toBe(
    "The request has errors.\ntitle: This field is required.\npage_size: Must be a whole number.",
  )
})

// tests/apps/api/test_client.py starts the app, and names it, its author's token and their session.
const { API_URL, API_TOKEN = "", API_COOKIE = "", API_CSRF = "" } = process.env

group.runIf(API_URL)("against the running app", () => {
  const visitor = createApi({ baseUrl: API_URL })
  const author = createApi({ baseUrl: API_URL, token: API_TOKEN })
  const page = createApi({
    baseUrl: API_URL,
    csrfToken: API_CSRF,
    headers: { Cookie: API_COOKIE },
  })

  test("articles are listed by page, with their authors", async () => {
    const query = { page_size: 1, expand: ["author" as const], category: ["design" as const] }
    const { data, response } = await visitor.GET("/api/v1/articles/", {
      params: { query: { ...query, ordering: "title" } },
    })

    const [first] = data?.results ?? []
    expect(data?.results).toHaveLength(1)
    expect(typeof first?.author === "object" && first.author.name).toBe("Ada Lovelace")
    expect(response.headers.get("Link")).toContain('rel="next"')
  })

  test("an article is written, changed and deleted, with its version", async () => {
    const created = await author.POST("/api/v1/articles/", {
      body: { title: "By the client", body: "Typed." },
    })
    const id = created.data?.id ?? ""
    const path = { id }
    const etag = created.response.headers.get("ETag") ?? ""
    expect(created.response.status).toBe(201)

    const header = { "If-Match": etag }
    const params = { path, header }
    const changed = await author.PATCH("/api/v1/articles/{id}/", {
      params,
      body: { title: "Changed by the client" },
    })
    expect(changed.data?.title).toBe("Changed by the client")

    const late = await author.DELETE("/api/v1/articles/{id}/", { params })
    expect(late.error?.code).toBe("changed")

    const current = changed.response.headers.get("ETag") ?? ""
    const deleted = await author.DELETE("/api/v1/articles/{id}/", {
      params: { path, header: { "If-Match": current } },
    })
    expect(deleted.response.status).toBe(204)
  })

  test("a page uses its session and CSRF token", async () => {
    const { data } = await page.GET("/api/v1/users/me/")
    expect(data?.name).toBe("Ada Lovelace")
    const { response } = await page.POST("/api/v1/notifications/reading/")
    expect(response.status).toBe(204)
  })

  test("a token does what its scopes allow", async () => {
    const { error, response } = await author.GET("/api/v1/users/me/")
    expect(error?.code).toBe("insufficient_scope")
    expect(response.headers.get("WWW-Authenticate")).toContain('scope="account:read"')
  })

  test("a refusal is a problem", async () => {
    const { error } = await visitor.POST("/api/v1/articles/", {
      body: { title: "Unsigned", body: "No." },
    })
    expect(error?.status).toBe(401)
  })
})
