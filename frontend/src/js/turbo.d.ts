import "@hotwired/turbo"

declare module "@hotwired/turbo" {
  interface TurboSession {
    /** Visits the page anew if it is the current one, by morph where its metas say so. */
    refresh(url: string): void
  }
}
