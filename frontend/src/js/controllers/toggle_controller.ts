import { Controller } from "@hotwired/stimulus"

/** Shows and hides its content, with the state in the button's aria-expanded. */
export default class extends Controller<HTMLElement> {
  static targets = ["button", "content"]

  declare readonly buttonTarget: HTMLElement
  declare readonly contentTargets: HTMLElement[]

  toggle(): void {
    const open = this.buttonTarget.getAttribute("aria-expanded") !== "true"
    this.buttonTarget.setAttribute("aria-expanded", String(open))
    for (const content of this.contentTargets) content.hidden = !open
  }
}
