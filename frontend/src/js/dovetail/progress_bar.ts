import { session } from "@hotwired/turbo"

/**
 * Cancels a visit's pending progress bar when another visit or a form replaces the visit. Turbo
 * 8.0.23 loses the timer, so the bar would appear after everything is done, and stay.
 */
export function cancelProgressBar(): void {
  clearTimeout(session.adapter.visitProgressBarTimeout)
}
