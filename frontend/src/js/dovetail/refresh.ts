import * as Turbo from "@hotwired/turbo"

/*
 * Refreshes of which none is lost. Turbo's own are forgotten while a visit is under way, whose answer
 * may be older than the change, or when one of the page's own requests follows at once; and they
 * abort a form that is being sent.
 */

const DELAY = 150 // milliseconds in which several become one, as in Turbo

interface Wanted {
  url: string
  refresh: Turbo.RefreshOptions
}

let wanted: Wanted | undefined

/** Fetches the page anew, and morphs it where its metas say so, as soon as nothing else goes on. */
export function refresh(options: Turbo.RefreshOptions = {}): void {
  if (!wanted) setTimeout(begin, DELAY)
  wanted = { url: document.baseURI, refresh: options }
}

/** The stream action: refreshes unless the change was this page's own, which has shown it. */
export function refreshFromStream(this: Element): void {
  const requestId = this.getAttribute("request-id")
  if (requestId && Turbo.session.recentRequests.has(requestId)) return
  refresh({ method: this.getAttribute("method"), scroll: this.getAttribute("scroll") })
}

function begin(): void {
  if (!wanted) return
  const { url, refresh } = wanted
  const isHere = url === document.baseURI // else the page that wanted it is gone
  if (isHere && isBusy()) {
    setTimeout(begin, DELAY)
    return
  }
  wanted = undefined
  if (isHere) Turbo.session.visit(url, { action: "replace", shouldCacheSnapshot: false, refresh })
}

function isBusy(): boolean {
  const underWay = 'form[aria-busy="true"], #confirmation[open]'
  return Boolean(Turbo.navigator.currentVisit || document.querySelector(underWay))
}
