/*
 * Answers that lack the frame which waits for them: errors, mostly. Turbo would put "Content
 * missing" in its place, and with it goes what somebody has written there.
 */

type ResponseEvent = CustomEvent<{ fetchResponse: { response: Response } }>
type MissingEvent = CustomEvent<{ response: Response; visit(response: Response): void }>

const submissions = new WeakSet<Response>()

/** Remembers which answers are those of a form that changes something. */
export function noteSubmission(event: Event): void {
  const { target, detail } = event as ResponseEvent
  if (!(target instanceof HTMLFormElement)) return
  // Not the property: it knows no DELETE, which Turbo sends for a link that says so.
  const method = target.getAttribute("method") ?? "get"
  if (method.toLowerCase() !== "get") submissions.add(detail.fetchResponse.response)
}

/** A page that was asked for is shown whole; a form that was sent stays as it is, and says so. */
export function handleMissingFrame(event: Event): void {
  const { response, visit } = (event as MissingEvent).detail
  event.preventDefault()
  if (submissions.has(response)) showUnsaved()
  else visit(response)
}

function showUnsaved(): void {
  const toast = document.querySelector<HTMLTemplateElement>("#unsaved")
  if (toast) document.querySelector("#toasts")?.append(toast.content.cloneNode(true))
}
