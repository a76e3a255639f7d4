/**
 * Keeps what a refresh by morph must not change: state that the server does not render, and unsaved
 * input. Turbo itself would overwrite even the focused field.
 */

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
  else if (!detail.newElement && fieldsIn(target).some(isUnsaved)) event.preventDefault()
}

/** Returns whether a field's value differs from the one that the page was rendered with. */
export function isUnsaved(field: Element): boolean {
  if (field instanceof HTMLTextAreaElement) return field.value !== field.defaultValue
  if (field instanceof HTMLSelectElement) return isChanged(field)
  if (!(field instanceof HTMLInputElement) || field.type === "hidden") return false
  if (field.type === "checkbox" || field.type === "radio")
    return field.checked !== field.defaultChecked
  return field.value !== field.defaultValue
}

function isChanged(select: HTMLSelectElement): boolean {
  const options = Array.from(select.options)
  // Without a selected attribute, the first option is selected.
  if (!select.multiple && !options.some((option) => option.hasAttribute("selected")))
    return select.selectedIndex > 0
  return options.some((option) => option.selected !== option.hasAttribute("selected"))
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
  return form ? fieldsIn(form).some(isUnsaved) : false
}

function fieldsIn(element: Element): Element[] {
  return Array.from(element.querySelectorAll("input, select, textarea"))
}
