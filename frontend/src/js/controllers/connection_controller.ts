import { Controller } from "@hotwired/stimulus"

const WAITING = "turbo-cable-stream-source:not([connected], [rejected])"

/** Shows its element while live updates do not arrive, once that has lasted for a moment. */
export default class extends Controller<HTMLElement> {
  static values = { delay: { type: Number, default: 4000 } } // milliseconds

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
    if (!document.querySelector(WAITING)) this.element.hidden = true
    else if (this.element.hidden) {
      this.#timer = window.setTimeout(() => {
        this.element.hidden = !document.querySelector(WAITING)
      }, this.delayValue)
    }
  }
}
