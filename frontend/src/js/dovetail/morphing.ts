/**
 * Keeps what a refresh by morph must not change: state that the server does not render, and unsaved
 * input. Turbo itself would overwrite even the focused field.
 */
import { fieldsIn, hasUnsaved, isUnsaved } from "./unsaved"

const KEPT_ATTRIBUTES: Record<string, string[]> = {
  "turbo-cable-stream-source": ["connected", "rejected"],
  details: ["open"],
  dialog: ["open"],
}

type AttributeEvent = CustomEvent<{ attributeName: string }>
type ElementEvent = CustomEvent<{ newElement?: Element }>

export function keepAttributes(event: Event): void {
  const { target, detail } = event as AttributeEvent
  if (
    target instanceof Element &&
    KEPT_ATTRIBUTES[target.localName]?.includes(detail.attributeName)
  )
    event.preventDefault()
}

export function keepUnsaved(event: Event): void {
  const { target, detail } = event as ElementEvent
  if (!(target instanceof Element)) return
  if (isUnsaved(target) || isOpenedFrame(target, detail.newElement)) event.preventDefault()
  else if (isVersionOfUnsaved(target)) event.preventDefault()
  // An error, or the notice about a restored draft
  else if (!detail.newElement && target.hasAttribute("data-kept")) event.preventDefault()
  // Don't remove an element that contains unsaved input.
  else if (!detail.newElement && hasUnsaved(target)) event.preventDefault()
}

/** Returns whether the user has opened a form in this frame, which the new page would close. */
function isOpenedFrame(element: Element, newElement?: Element): boolean {
  return (
    element.localName === "turbo-frame" &&
    element.hasAttribute("src") &&
    !newElement?.hasAttribute("src") &&
    fieldsIn(element).some((field) => field.getAttribute("type") !== "hidden")
  )
}

/**
 * Returns whether this is the version that unsaved text is based on. A newer one would let that text
 * overwrite someone else's changes without a warning.
 */
function isVersionOfUnsaved(element: Element): boolean {
  const form = element.hasAttribute("data-version") && element.closest("form")
  return form ? hasUnsaved(form) : false
}
