/**
 * What a refresh by morph must leave alone: state that the server never rendered, and what somebody
 * is writing. Turbo itself would overwrite even the field that has the focus.
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
  // Removed, it would take along what is being written in it.
  else if (!detail.newElement && fieldsIn(target).some(isUnsaved)) event.preventDefault()
}

/** Tells whether a field holds what its page did not give it. */
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
  // Without a choice in the page a list shows its first option.
  if (!select.multiple && !options.some((option) => option.hasAttribute("selected")))
    return select.selectedIndex > 0
  return options.some((option) => option.selected !== option.hasAttribute("selected"))
}

/** Somebody opened a form in this frame; the new page would close it. */
function isOpenedFrame(element: Element, newElement?: Element): boolean {
  return (
    element.localName === "turbo-frame" &&
    element.hasAttribute("src") &&
    !newElement?.hasAttribute("src") &&
    fieldsIn(element).some((field) => field.getAttribute("type") !== "hidden")
  )
}

function fieldsIn(element: Element): Element[] {
  return Array.from(element.querySelectorAll("input, select, textarea"))
}
