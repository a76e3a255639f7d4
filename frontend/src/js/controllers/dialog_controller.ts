import { Controller } from "@hotwired/stimulus"

/** Opens its <dialog>, and closes it on a click on the backdrop or before Turbo caches the page. */
export default class extends Controller<HTMLElement> {
  static targets = ["dialog"]

  declare readonly dialogTarget: HTMLDialogElement

  open(): void {
    this.dialogTarget.showModal()
  }

  close(): void {
    this.dialogTarget.close()
  }

  closeOnBackdrop(event: Event): void {
    // A click on the backdrop has the dialog element itself as its target.
    if (event.target === this.dialogTarget) this.close()
  }
}
