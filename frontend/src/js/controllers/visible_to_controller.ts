import { Controller } from "@hotwired/stimulus"

/**
 * Shows its element to one person: a broadcast is the same for all, so the page decides.
 *
 * Only for what is of no use to others. Whether somebody may do a thing, the server decides.
 */
export default class extends Controller<HTMLElement> {
  static values = { user: String }

  declare readonly userValue: string

  connect(): void {
    this.update()
  }

  /** Also an action for turbo:morph-element: the server renders it hidden. */
  update(): void {
    const current = document.querySelector<HTMLMetaElement>('meta[name="current-user-id"]')
    this.element.hidden = !this.userValue || current?.content !== this.userValue
  }
}
