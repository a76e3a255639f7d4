import { type FrameElement, morphTurboFrameElements } from "@hotwired/turbo"

type FrameEvent = CustomEvent<{ render: typeof morphTurboFrameElements }>

/** Morphs a frame that has data-morph, so that focus stays on the link that was followed. */
export function morphFrame(event: Event): void {
  const { target, detail } = event as FrameEvent
  if (target instanceof HTMLElement && "morph" in target.dataset) {
    detail.render = morphTurboFrameElements
  }
}

/** Leaves the name of lazy to frames that have never loaded; Turbo treats others as eager anyway. */
export function endLaziness({ target }: Event): void {
  ;(target as FrameElement).loading = "eager"
}

/**
 * Starts first loads again that a refresh has cut off: it reloads frames, which cancels their requests,
 * and Turbo then waits to see a lazy frame, which it no longer watches.
 */
export function restartFirstLoads(): void {
  for (const frame of document.querySelectorAll<FrameElement>(
    "turbo-frame[loading=lazy][refresh]",
  )) {
    frame.loading = "lazy" // it is watched from now on
  }
}
