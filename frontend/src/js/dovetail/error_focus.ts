type SubmitEnd = CustomEvent<{ success: boolean; fetchResponse?: object }>

/**
 * After a form came back with errors, gives the focus to what the server marked with autofocus.
 * The browser does so when it loads a page, and Turbo when it renders a frame, but not when it
 * morphs a page. Where nothing came back no page will be rendered, and a later one is not meant.
 */
export function focusErrors(event: Event): void {
  const { target, detail } = event as SubmitEnd
  const isInFrame = target instanceof Element && target.closest("turbo-frame")
  if (detail.success || !detail.fetchResponse || isInFrame) return
  addEventListener("turbo:render", focusMarked, { once: true })
}

function focusMarked(): void {
  document.querySelector<HTMLElement>("[autofocus]")?.focus()
}
