import { Controller } from "@hotwired/stimulus"

/** Shows how many characters its text area has left. */
export default class extends Controller<HTMLElement> {
  static targets = ["output"]

  declare readonly outputTarget: HTMLElement

  connect(): void {
    this.update()
  }

  update(): void {
    const area = this.element.querySelector("textarea")
    if (!area) return
    const left = area.maxLength - area.value.length
    this.outputTarget.textContent = `${left} ${left === 1 ? "character" : "characters"} left`
  }
}
