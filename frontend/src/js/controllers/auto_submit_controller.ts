import { Controller } from "@hotwired/stimulus"

/** Submits its form when a choice changes, and soon after the last key while someone types. */
export default class extends Controller<HTMLFormElement> {
  static values = { delay: { type: Number, default: 300 } } // milliseconds

  declare readonly delayValue: number
  #timer = 0

  connect(): void {
    // Whoever presses Enter does not want a second submission to take the page away after that.
    this.element.addEventListener("submit", this.#cancel)
  }

  disconnect(): void {
    this.element.removeEventListener("submit", this.#cancel)
    this.#cancel()
  }

  submit(): void {
    this.element.requestSubmit()
  }

  submitSoon(): void {
    this.#cancel()
    this.#timer = window.setTimeout(() => this.submit(), this.delayValue)
  }

  #cancel = (): void => clearTimeout(this.#timer)
}
