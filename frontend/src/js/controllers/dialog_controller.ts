import { Controller } from "@hotwired/stimulus"

/** Opens the <dialog> in it, and closes it on a click beside it or before Turbo keeps the page. */
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
    // What is beside the box belongs to the dialog element itself.
    if (event.target === this.dialogTarget) this.close()
  }
}
