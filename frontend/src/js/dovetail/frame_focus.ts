/*
 * Where the focus goes when a frame replaces the link or button that had it: to the first field, or
 * to the frame itself, which needs tabindex="-1" for that. What is marked with autofocus comes first.
 */

type SubmitEnd = CustomEvent<{
  success: boolean
  fetchResponse?: { isHTML: boolean }
  formSubmission: { formElement: HTMLFormElement }
}>

const FIELD = "input:not([type=hidden]), select, textarea"

let frameId: string | undefined // of the frame that takes the focus with what it shows next

/** A form's button may have lost the focus, and a broadcast may have replaced the form's frame. */
export function noteSubmittedFrame(event: Event): void {
  const { success, fetchResponse, formSubmission } = (event as SubmitEnd).detail
  // A stream is shown by no frame; after a failure Turbo looks for autofocus.
  if (success && fetchResponse?.isHTML)
    frameId = formSubmission.formElement.closest("turbo-frame")?.id
}

export function noteFocusedFrame({ target }: Event): void {
  if (!(target instanceof Element) || target.localName !== "turbo-frame") return
  if (target.contains(document.activeElement)) frameId = target.id
}

export function focusFrame(): void {
  const frame = document.getElementById(frameId ?? "")
  frameId = undefined
  if (!frame || document.activeElement !== document.body) return
  const place = frame.querySelector<HTMLElement>(FIELD) ?? frame
  place.focus()
}
