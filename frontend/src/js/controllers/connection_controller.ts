import { Controller } from "@hotwired/stimulus"

const WAITING =
  "html:not([data-turbo-preview]) turbo-cable-stream-source:not([connected], [rejected])"

/**
 * Shows a text while live updates are interrupted, after a short delay. It changes the text rather
 * than its visibility, because screen readers announce only changed text.
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
