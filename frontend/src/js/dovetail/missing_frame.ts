/*
 * Handles responses that lack the requested frame, which are mostly errors. Turbo would replace the
 * frame's content, including unsaved input, with "Content missing".
 */

import { showError } from "./error_toast"
import { isChange } from "./forms"

type ResponseEvent = CustomEvent<{ fetchResponse: { response: Response } }>
type MissingEvent = CustomEvent<{ response: Response; visit(response: Response): void }>

const submissions = new WeakSet<Response>()

/** Remembers which responses are to forms that change something. */
export function rememberSubmission(event: Event): void {
  const { target, detail } = event as ResponseEvent
  if (isChange(target)) submissions.add(detail.fetchResponse.response)
}

/** Shows the response as a full page, or after a form submission keeps the form and shows a toast. */
export function handleMissingFrame(event: Event): void {
  const { response, visit } = (event as MissingEvent).detail
  event.preventDefault()
  if (submissions.has(response)) showError()
  else visit(response)
}
