import { session } from "@hotwired/turbo"

/**
 * Forgets the progress bar that a visit was about to show when another, or a form, takes its place.
 * Turbo forgets the timer instead (8.0.23): the bar comes when all is done, and stays.
 */
export function forgetProgressBar(): void {
  clearTimeout(session.adapter.visitProgressBarTimeout)
}
