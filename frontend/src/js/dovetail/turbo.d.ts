import "@hotwired/turbo"

// Members that Turbo's types lack.
declare module "@hotwired/turbo" {
  interface Navigator {
    /** The visit in progress. */
    currentVisit?: object
    stop(): void
  }
  interface Adapter {
    /** The browser adapter's timer, which shows the progress bar when it fires. */
    visitProgressBarTimeout?: number
    progressBar: { stylesheetElement: HTMLStyleElement }
  }
  interface TurboSession {
    /** The X-Turbo-Request-Ids of this window's recent requests. */
    recentRequests: { has(id: string): boolean }
    visit(location: string, options?: VisitOptions): void
  }
  interface RefreshOptions {
    /** "morph" or "replace", overriding the page's meta tags. */
    method?: string | null
    /** "preserve" or "reset", overriding the page's meta tags. */
    scroll?: string | null
  }
  interface VisitOptions {
    refresh?: RefreshOptions
    shouldCacheSnapshot?: boolean
  }
}
