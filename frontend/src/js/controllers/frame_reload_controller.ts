import { Controller } from "@hotwired/stimulus"
import type { FrameElement } from "@hotwired/turbo"

/**
 * Loads its frame again from time to time, while someone can see the page.
 *
 * For what changes without a broadcast, such as the numbers of another server.
 */
export default class extends Controller<FrameElement> {
  static values = { seconds: { type: Number, default: 10 } }

  declare readonly secondsValue: number
  private timer = 0

  connect(): void {
    this.timer = window.setInterval(() => this.reload(), this.secondsValue * 1000)
  }

  disconnect(): void {
    window.clearInterval(this.timer)
  }

  private reload(): void {
    // While the frame is busy, a slow answer is still on its way.
    if (document.visibilityState === "visible" && !this.element.hasAttribute("busy")) {
      void this.element.reload()
    }
  }
}
