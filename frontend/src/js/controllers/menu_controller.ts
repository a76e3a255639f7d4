import { Controller } from "@hotwired/stimulus"

/** A <details> menu that closes as menus do: on Escape, on a click elsewhere, when focus leaves. */
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
    const elsewhere = event instanceof FocusEvent ? event.relatedTarget : event.target
    // Without a place that focus goes to, the window lost it: the menu waits.
    if (elsewhere instanceof Node && !this.element.contains(elsewhere)) this.close()
  }
}
