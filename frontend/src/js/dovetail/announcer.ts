type RenderEvent = CustomEvent<{ renderMethod: string }>

const SETTLE_DELAY = 100 // milliseconds until the new page is complete
const FIELD = "input, select, textarea, [contenteditable]"

/**
 * Announces what screen readers would read on a full page load: the title, and the messages, which
 * live regions do not announce because they came with the page.
 *
 * Does nothing after a refresh by morph, where live regions still work. If a field has focus, screen
 * readers read that field, so the title is left out.
 */
export function announcePage(event: Event): void {
  const { renderMethod } = (event as RenderEvent).detail
  if (renderMethod === "morph" || document.documentElement.hasAttribute("data-turbo-preview"))
    return
  announce("")
  setTimeout(() => {
    const title = document.activeElement?.matches(FIELD) ? "" : document.title
    const messages = Array.from(document.querySelectorAll("#toasts p"), (p) => p.textContent)
    announce([title, ...messages].join(" "))
  }, SETTLE_DELAY)
}

function announce(text: string): void {
  const announcer = document.querySelector("#announcer")
  if (announcer) announcer.textContent = text
}
