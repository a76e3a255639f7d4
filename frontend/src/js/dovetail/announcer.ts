type RenderEvent = CustomEvent<{ renderMethod: string }>

const SETTLED = 100 // milliseconds; until then the page is still being put together
const FIELD = "input, select, textarea, [contenteditable]"

/**
 * Says what a browser says of its own accord when it loads a page: the title; and the messages,
 * which came with the page and so are no change that a live region would tell of.
 *
 * A refresh by morph is the same page, whose live regions are still there. Who is in a field hears
 * of that instead of the title.
 */
export function announcePage(event: Event): void {
  const { renderMethod } = (event as RenderEvent).detail
  if (renderMethod === "morph" || document.documentElement.hasAttribute("data-turbo-preview"))
    return
  say("")
  setTimeout(() => {
    const title = document.activeElement?.matches(FIELD) ? "" : document.title
    const messages = Array.from(document.querySelectorAll("#toasts p"), (p) => p.textContent)
    say([title, ...messages].join(" "))
  }, SETTLED)
}

function say(text: string): void {
  const announcer = document.querySelector("#announcer")
  if (announcer) announcer.textContent = text
}
