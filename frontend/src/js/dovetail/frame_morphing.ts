import { type FrameElement, morphTurboFrameElements } from "@hotwired/turbo"

type FrameEvent = CustomEvent<{ render: typeof morphTurboFrameElements }>

const loaded = new WeakSet<Element>()

/** Morphs a frame that has data-morph, so that focus stays on the link that was followed. */
export function morphFrame(event: Event): void {
  const { target, detail } = event as FrameEvent
  if (target instanceof HTMLElement && "morph" in target.dataset) {
    detail.render = morphTurboFrameElements
  }
}

/**
 * Starts first loads again that a morph of this element has cut off: it reloads frames, which cancels
 * their requests, and Turbo then waits to see a lazy frame, which it no longer watches.
 */
export function restartFirstLoads(event: Event): void {
  const morphed = event.target as Element
  loaded.add(morphed)
  for (const frame of morphed.querySelectorAll<FrameElement>("turbo-frame[loading=lazy]")) {
    if (!loaded.has(frame)) frame.loading = "lazy" // it is watched from now on
  }
}
