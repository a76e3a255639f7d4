import { Controller } from "@hotwired/stimulus"

/** Resets its form after a successful submission, but keeps what was typed in the meantime. */
export default class extends Controller<HTMLFormElement> {
  #sent?: string

  remember(): void {
    this.#sent = this.#values()
  }

  reset(event: CustomEvent<{ success: boolean }>): void {
    if (event.detail.success && this.#sent === this.#values()) this.element.reset()
  }

  #values(): string {
    return JSON.stringify(Array.from(new FormData(this.element)))
  }
}
