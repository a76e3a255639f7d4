import { Controller } from "@hotwired/stimulus"

/**
 * Shows its element to one user only. A broadcast is the same for all users, so the page decides.
 *
 * This hides controls that are of no use to others; the server still enforces permissions.
 */
export default class extends Controller<HTMLElement> {
  static values = { user: String }

  declare readonly userValue: string

  connect(): void {
    this.update()
  }

  /** Also an action for turbo:morph-element, because the server renders the element hidden. */
  update(): void {
    const current = document.querySelector<HTMLMetaElement>('meta[name="current-user-id"]')
    this.element.hidden = !this.userValue || current?.content !== this.userValue
  }
}
