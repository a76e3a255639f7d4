/**
 * After a form came back with errors, gives the focus to what the server marked with autofocus.
 * The browser does so when it loads a page, but not when Turbo morphs one.
 */
export function focusErrors(event: Event): void {
  const { success } = (event as CustomEvent<{ success: boolean }>).detail
  if (success) return
  addEventListener("turbo:render", focusMarked, { once: true })
}

function focusMarked(): void {
  document.querySelector<HTMLElement>("[autofocus]")?.focus()
}
