import { morphTurboFrameElements } from "@hotwired/turbo"

type FrameEvent = CustomEvent<{ render: typeof morphTurboFrameElements }>

/** Morphs a frame that has data-morph, so that focus stays on the link that was followed. */
export function morphFrame(event: Event): void {
  const { target, detail } = event as FrameEvent
  if (target instanceof HTMLElement && "morph" in target.dataset) {
    detail.render = morphTurboFrameElements
  }
}
