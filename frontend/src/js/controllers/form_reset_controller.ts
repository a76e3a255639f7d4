import { Controller } from "@hotwired/stimulus"

/** Resets its form after a successful submission. */
export default class extends Controller<HTMLFormElement> {
  reset(event: CustomEvent<{ success: boolean }>): void {
    if (event.detail.success) this.element.reset()
  }
}
