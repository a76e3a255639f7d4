/*
 * Handles responses that lack the requested frame, which are mostly errors. Turbo would replace the
 * frame's content, including unsaved input, with "Content missing".
 */

type ResponseEvent = CustomEvent<{ fetchResponse: { response: Response } }>
type MissingEvent = CustomEvent<{ response: Response; visit(response: Response): void }>

const submissions = new WeakSet<Response>()

/** Remembers which responses are to forms that change something. */
export function rememberSubmission(event: Event): void {
  const { target, detail } = event as ResponseEvent
  if (!(target instanceof HTMLFormElement)) return
  // Not the property, which does not support DELETE; Turbo sends it for links with data-turbo-method.
  const method = target.getAttribute("method") ?? "get"
  if (method.toLowerCase() !== "get") submissions.add(detail.fetchResponse.response)
}

/** Shows the response as a full page, or after a form submission keeps the form and shows a toast. */
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
