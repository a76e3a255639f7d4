/**
 * A typed client for /api/v1/. Its types are generated from docs/openapi.yaml by `npm run types`.
 *
 *     const api = createApi({ token: "dvt_…" })
 *     const { data, error } = await api.GET("/api/v1/articles/", { params: { query: { page_size: 5 } } })
 */

import createClient, { type Client } from "openapi-fetch"
import type { components, paths } from "./schema"

export type Article = components["schemas"]["Article"]
export type ArticleSummary = components["schemas"]["ArticleSummary"]
export type Problem = components["schemas"]["Problem"]

export type Options = {
  /** Of the site; by default, that of the page. */
  baseUrl?: string
  /** A personal access token. Without it, a browser sends its session. */
  token?: string
  /** The CSRF token of a page, for changes with its session. */
  csrfToken?: string
  /** More headers for each request. */
  headers?: Record<string, string>
}

export function createApi(options: Options = {}): Client<paths> {
  const { baseUrl = "", token, csrfToken, headers = {} } = options
  const own = { ...headers }
  if (token) own.Authorization = `Bearer ${token}`
  if (csrfToken) own["X-CSRF-Token"] = csrfToken
  return createClient<paths>({
    baseUrl,
    headers: own,
    credentials: token ? "omit" : "same-origin",
    querySerializer: { array: { style: "form", explode: true } },
  })
}

/** Returns the message for people, with the places of what is wrong. */
export function describe(problem: Problem): string {
  const places = (problem.errors ?? []).map(
    ({ pointer, parameter, header, detail }) =>
      `${pointer?.replace(/^#\/?/, "") ?? parameter ?? header ?? ""}: ${detail}`,
  )
  return [problem.detail, ...places].join("\n")
}
