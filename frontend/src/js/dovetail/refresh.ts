/*
 * Page refreshes that never get lost. Turbo drops a refresh during a visit, although its response may
 * be older than the change, and when one of the page's own requests follows immediately. It also
 * aborts form submissions in progress. A page with unsaved input is refreshed with more care.
 */
import * as Turbo from "@hotwired/turbo"
import { isPageUnsaved } from "./unsaved"

const DELAY = 150 // milliseconds in which refreshes are merged, as in Turbo

interface Pending {
  url: string
  refresh: Turbo.RefreshOptions
}

let pending: Pending | undefined

/** Fetches the page again as soon as it is idle, and morphs it if its meta tags say so. */
export function refresh(options: Turbo.RefreshOptions = {}): void {
  if (!pending) setTimeout(begin, DELAY)
  pending = { url: document.baseURI, refresh: options }
}

/** The stream action: refreshes, unless this page made the change itself and already shows it. */
export function refreshFromStream(this: Element): void {
  const requestId = this.getAttribute("request-id")
  if (requestId && Turbo.session.recentRequests.has(requestId)) return
  refresh({ method: this.getAttribute("method"), scroll: this.getAttribute("scroll") })
}

function begin(): void {
  if (!pending) return
  const { url, refresh } = pending
  const isCurrent = url === document.baseURI // otherwise the user has left the page
  if (isCurrent && isBusy()) {
    setTimeout(begin, DELAY)
    return
  }
  pending = undefined
  if (!isCurrent) return
  const show = () =>
    Turbo.session.visit(url, { action: "replace", shouldCacheSnapshot: false, refresh })
  if (!isPageUnsaved()) show()
  else
    import("./careful_refresh").then(
      ({ showIfKept }) => showIfKept(url, show),
      () => undefined, // the next refresh tries again
    )
}

function isBusy(): boolean {
  const busy = 'form[aria-busy="true"], #confirmation[open]'
  return Boolean(Turbo.navigator.currentVisit || document.querySelector(busy))
}
