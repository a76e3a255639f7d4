/** Finds input that is not saved. */
import { isChange } from "./forms"

/** Returns whether a field's value differs from the one that the page was rendered with. */
export function isUnsaved(field: Element): boolean {
  if (field instanceof HTMLTextAreaElement) return field.value !== field.defaultValue
  if (field instanceof HTMLSelectElement) return isChanged(field)
  if (!(field instanceof HTMLInputElement) || field.type === "hidden") return false
  if (field.type === "checkbox" || field.type === "radio")
    return field.checked !== field.defaultChecked
  return field.value !== field.defaultValue
}

/** Returns whether an element contains unsaved input. */
export function hasUnsaved(element: Element): boolean {
  return fieldsIn(element).some(isUnsaved)
}

/** Returns whether a form of this page that changes something contains unsaved input. */
export function isPageUnsaved(): boolean {
  return Array.from(document.forms).some((form) => isChange(form) && hasUnsaved(form))
}

export function fieldsIn(element: Element): Element[] {
  return Array.from(element.querySelectorAll("input, select, textarea"))
}

function isChanged(select: HTMLSelectElement): boolean {
  const options = Array.from(select.options)
  // Without a selected attribute, the first option is selected.
  if (!select.multiple && !options.some((option) => option.hasAttribute("selected")))
    return select.selectedIndex > 0
  return options.some((option) => option.selected !== option.hasAttribute("selected"))
}
