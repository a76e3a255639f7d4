import { Controller } from "@hotwired/stimulus"

/** Empties its form once Turbo has sent it and the server has taken it. */
export default class extends Controller<HTMLFormElement> {
  reset(event: CustomEvent<{ success: boolean }>): void {
    if (event.detail.success) this.element.reset()
  }
}
