import { morphTurboFrameElements } from "@hotwired/turbo"

type FrameEvent = CustomEvent<{ render: typeof morphTurboFrameElements }>

/** Changes a frame with data-morph in place, so that the focus stays on the link that was followed. */
export function morphFrame(event: Event): void {
  const { target, detail } = event as FrameEvent
  if (target instanceof HTMLElement && "morph" in target.dataset) {
    detail.render = morphTurboFrameElements
  }
}
