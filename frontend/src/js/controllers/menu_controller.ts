import { Controller } from "@hotwired/stimulus"

/** Closes a <details> menu on Escape, on a click outside, and when focus leaves it. */
export default class extends Controller<HTMLDetailsElement> {
  close(): void {
    this.element.open = false
  }

  closeOnEscape(): void {
    if (!this.element.open) return
    this.close()
    this.element.querySelector("summary")?.focus()
  }

  closeOnLeave(event: Event): void {
    const target = event instanceof FocusEvent ? event.relatedTarget : event.target
    // Without a related target, the window itself lost focus, and the menu stays open.
    if (target instanceof Node && !this.element.contains(target)) this.close()
  }
}
