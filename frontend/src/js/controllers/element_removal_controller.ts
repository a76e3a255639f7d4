import { Controller } from "@hotwired/stimulus"

/** Removes its element, on a click or when its animation ends. */
export default class extends Controller<HTMLElement> {
  remove(): void {
    this.element.remove()
  }
}
