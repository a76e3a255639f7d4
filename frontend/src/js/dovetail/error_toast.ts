interface Link {
  href: string
  text: string
  opensTab?: boolean
}

interface Options {
  link?: Link | undefined
  /** False if the user may be typing elsewhere; the toast is announced in any case. */
  takesFocus?: boolean
}

/**
 * Shows an error as a toast (components/toasts.html), by default that a form wasn't saved. It stays
 * until it is dismissed, replaces the one before, and takes the focus, since the element that caused
 * it may be out of sight.
 */
export function showError(text = "", { link, takesFocus = true }: Options = {}): void {
  const template = document.querySelector<HTMLTemplateElement>("#unsaved")
  const toast = template?.content.firstElementChild?.cloneNode(true)
  if (!(toast instanceof HTMLElement)) throw new Error("Include components/toasts.html in the page")
  hideError()
  const paragraph = toast.matches("p") ? toast : toast.querySelector("p")
  if (text && paragraph) paragraph.textContent = text
  if (link) paragraph?.append(" ", anchor(link))
  const before = document.activeElement
  toast.querySelector("button")?.addEventListener("click", () => {
    if (before instanceof HTMLElement) before.focus()
  })
  toast.tabIndex = -1
  toast.dataset.kept = "" // by page refreshes: see morphing.ts
  document.querySelector("#toasts")?.append(toast)
  if (takesFocus) toast.focus()
}

export function hideError(): void {
  document.querySelector("#toasts [data-kept]")?.remove()
}

function anchor({ href, text, opensTab }: Link): HTMLAnchorElement {
  const link = document.createElement("a")
  link.href = href
  link.textContent = text
  link.className = "link"
  link.dataset.turbo = "false"
  if (opensTab) link.target = "_blank"
  return link
}
