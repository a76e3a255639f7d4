import "@hotwired/turbo"

// What Turbo has and its types lack.
declare module "@hotwired/turbo" {
  interface Navigator {
    /** The visit under way. */
    currentVisit?: object
    stop(): void
  }
  interface Adapter {
    /** Timer of the browser's adapter: when it fires, the progress bar is shown. */
    visitProgressBarTimeout?: number
  }
  interface TurboSession {
    /** The X-Turbo-Request-Id of what this window has requested of late. */
    recentRequests: { has(id: string): boolean }
    visit(location: string, options?: VisitOptions): void
  }
  interface RefreshOptions {
    /** Instead of what the metas of the page say: "morph" or "replace". */
    method?: string | null
    /** Instead of what the metas of the page say: "preserve" or "reset". */
    scroll?: string | null
  }
  interface VisitOptions {
    refresh?: RefreshOptions
    shouldCacheSnapshot?: boolean
  }
}
