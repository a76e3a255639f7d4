import { Controller } from "@hotwired/stimulus"

/** Submits its form when a choice changes, or shortly after the user stops typing. */
export default class extends Controller<HTMLFormElement> {
  static values = { delay: { type: Number, default: 300 } } // milliseconds

  declare readonly delayValue: number
  #timer = 0

  connect(): void {
    // After Enter or a click on the button, a delayed second submission would replace the page.
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
