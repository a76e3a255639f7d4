import { Controller } from "@hotwired/stimulus"

const WAITING =
  "html:not([data-turbo-preview]) turbo-cable-stream-source:not([connected], [rejected])"

/**
 * Says in its element that live updates do not arrive, once that has lasted for a moment.
 * Screen readers tell of a text that changes, and not of one that is shown.
 */
export default class extends Controller<HTMLElement> {
  static values = { text: String, delay: { type: Number, default: 4000 } } // milliseconds

  declare readonly textValue: string
  declare readonly delayValue: number
  #timer = 0

  connect(): void {
    this.update()
  }

  disconnect(): void {
    clearTimeout(this.#timer)
  }

  update(): void {
    clearTimeout(this.#timer)
    if (!isWaiting()) this.element.textContent = ""
    else if (!this.element.textContent) {
      this.#timer = window.setTimeout(() => {
        this.element.textContent = isWaiting() ? this.textValue : ""
      }, this.delayValue)
    }
  }
}

function isWaiting(): boolean {
  return document.querySelector(WAITING) !== null
}
