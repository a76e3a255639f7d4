import { Controller } from "@hotwired/stimulus"

/** Takes its element out of the page, on a click or when its animation has ended. */
export default class extends Controller<HTMLElement> {
  remove(): void {
    this.element.remove()
  }
}
