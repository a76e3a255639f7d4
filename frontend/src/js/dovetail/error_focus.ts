import { isKept } from "./failed_forms"

type SubmitEnd = CustomEvent<{ success: boolean; fetchResponse?: object }>

/**
 * Focuses the element with autofocus after a form came back with errors. Browsers do so on page
 * load, and Turbo when it renders a frame, but not when it morphs a page. Other failures render
 * no page (failed_forms.ts), so a later page must not be affected.
 */
export function focusErrors(event: Event): void {
  const { target, detail } = event as SubmitEnd
  const isInFrame = target instanceof Element && target.closest("turbo-frame")
  const response = detail.fetchResponse
  if (detail.success || !response || isKept(response) || isInFrame) return
  addEventListener("turbo:render", focusMarked, { once: true })
}

function focusMarked(): void {
  document.querySelector<HTMLElement>("[autofocus]")?.focus()
}
