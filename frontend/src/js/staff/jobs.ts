/*
 * Loads what waits and runs again from time to time, while someone can see it: the numbers of the
 * broker and the workers change without a broadcast. Only the page of background work loads this.
 */
import type { FrameElement } from "@hotwired/turbo"

const PERIOD = 5000 // milliseconds

// Once for all visits of the page: Turbo runs a script only the first time.
setInterval(() => {
  const frame = document.querySelector<FrameElement>("#jobs_now[complete]:not([busy])")
  if (frame && document.visibilityState === "visible") void frame.reload()
}, PERIOD)
