import { Controller } from "@hotwired/stimulus"
import { showError } from "../dovetail/error_toast"

/** Copies a text, by default the page's address, and briefly confirms it in the label. */
export default class extends Controller<HTMLElement> {
  static targets = ["label"]
  static values = {
    text: String,
    done: { type: String, default: "Copied" },
    delay: { type: Number, default: 2000 }, // milliseconds
  }

  declare readonly labelTarget: HTMLElement
  declare readonly textValue: string
  declare readonly doneValue: string
  declare readonly delayValue: number
  #label = ""
  #timer = 0

  connect(): void {
    this.#label = this.labelTarget.textContent ?? ""
  }

  disconnect(): void {
    this.#restore()
  }

  async copy(): Promise<void> {
    const text = this.textValue || location.href
    try {
      await navigator.clipboard.writeText(text)
    } catch {
      // Forbidden by the user, or missing outside of HTTPS and localhost.
      showError(`Your browser didn’t allow copying. Select the text and copy it yourself: ${text}`)
      return
    }
    this.labelTarget.textContent = this.doneValue
    clearTimeout(this.#timer)
    this.#timer = window.setTimeout(() => this.#restore(), this.delayValue)
  }

  #restore(): void {
    clearTimeout(this.#timer)
    this.labelTarget.textContent = this.#label
  }
}
