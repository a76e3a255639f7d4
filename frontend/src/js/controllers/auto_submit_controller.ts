import { Controller } from "@hotwired/stimulus"

/** Submits its form when a choice changes, and soon after the last key while someone types. */
export default class extends Controller<HTMLFormElement> {
  static values = { delay: { type: Number, default: 300 } } // milliseconds

  declare readonly delayValue: number
  #timer = 0

  disconnect(): void {
    clearTimeout(this.#timer)
  }

  submit(): void {
    clearTimeout(this.#timer)
    this.element.requestSubmit()
  }

  submitSoon(): void {
    clearTimeout(this.#timer)
    this.#timer = window.setTimeout(() => this.submit(), this.delayValue)
  }
}
