import { followTheme, show } from "./page"

type SwaggerRequest = { method?: string; url: string; headers: Record<string, string> }
type Schemes = {
  filterNot(condition: (scheme: { get(name: string): unknown }) => boolean): Schemes
  isEmpty(): boolean
}
type Definitions = {
  map(change: (schemes: Schemes) => Schemes): Definitions
  filterNot(condition: (schemes: Schemes) => boolean): Definitions
}

declare global {
  interface Window {
    SwaggerUIBundle?: (options: Record<string, unknown>) => unknown
  }
}

const SAFE = ["GET", "HEAD", "OPTIONS"]

// What Swagger UI leaves without a name for those who don't see it.
const NAMES = {
  "#operations": "Requests", // a <main> in the page's own
  ".body-param__text": "Request body",
  ".examples-select-element": "Example",
  ".close-modal": "Close",
  ".modal-btn.authorize": "Authorize",
}

export function render(element: HTMLElement): void {
  // The class that Swagger UI looks for.
  followTheme((isDark) => document.documentElement.classList.toggle("dark-mode", isDark))
  const { schema, token } = element.dataset
  new MutationObserver(() => complete(element)).observe(element, { childList: true, subtree: true })
  window.SwaggerUIBundle?.({
    url: schema,
    domNode: element,
    deepLinking: true,
    displayOperationId: false,
    defaultModelsExpandDepth: -1,
    validatorUrl: null,
    plugins: [plugin],
    requestInterceptor: (request: SwaggerRequest) => withToken(request, token),
  })
}

/** Leaves out what the page has itself, and the session, whose cookie no script may send. */
function plugin() {
  const nothing = () => () => null
  const withoutSession =
    (select: (...args: unknown[]) => Definitions | null) =>
    (...args: unknown[]) =>
      select(...args)
        ?.map((schemes) => schemes.filterNot((scheme) => scheme.get("in") === "cookie"))
        .filterNot((schemes) => schemes.isEmpty())
  return {
    wrapComponents: { InfoContainer: nothing, ServersContainer: nothing },
    statePlugins: {
      auth: { wrapSelectors: { definitionsToAuthorize: withoutSession } },
      // Its own way of scrolling ends below the site's header.
      layout: { wrapActions: { scrollToElement: () => (to: Element) => to.scrollIntoView() } },
    },
  }
}

/** Adds the CSRF token to a change that goes to this site, and to no other. */
export function withToken(request: SwaggerRequest, token?: string): SwaggerRequest {
  const isOwn = new URL(request.url, location.href).origin === location.origin
  if (token && isOwn && !SAFE.includes((request.method ?? "GET").toUpperCase())) {
    request.headers["X-CSRF-Token"] = token
  }
  return request
}

/** Names what Swagger UI has just added, and lets keys scroll its code. */
export function complete(element: HTMLElement): void {
  for (const [selector, name] of Object.entries(NAMES)) {
    for (const found of element.querySelectorAll(selector)) found.setAttribute("aria-label", name)
  }
  for (const row of element.querySelectorAll<HTMLElement>("tr[data-param-name]")) {
    for (const field of row.querySelectorAll("input, select, textarea")) {
      field.setAttribute("aria-label", row.dataset.paramName ?? "")
    }
  }
  for (const code of element.querySelectorAll<HTMLElement>("pre")) code.tabIndex = 0
}

show(render)
