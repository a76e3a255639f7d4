/*
 * Moves focus when a frame replaces the link or button that had it: to the first field, or to the
 * frame itself if it has tabindex="-1". An element with autofocus takes precedence.
 */

type SubmitEnd = CustomEvent<{
  success: boolean
  fetchResponse?: { isHTML: boolean }
  formSubmission: { formElement: HTMLFormElement }
}>

const FIELD = "input:not([type=hidden]), select, textarea"

let frameId: string | undefined // the frame to focus when it renders next

/**
 * Remembers the frame of a submitted form by its id: the form's button may lose focus before the
 * frame renders, and a broadcast may replace the frame.
 */
export function rememberSubmittedFrame(event: Event): void {
  const { success, fetchResponse, formSubmission } = (event as SubmitEnd).detail
  // A stream response renders no frame, and after a failure Turbo itself handles autofocus.
  if (success && fetchResponse?.isHTML)
    frameId = formSubmission.formElement.closest("turbo-frame")?.id
}

export function rememberFocusedFrame({ target }: Event): void {
  if (!(target instanceof Element) || target.localName !== "turbo-frame") return
  if (target.contains(document.activeElement)) frameId = target.id
}

export function focusFrame(): void {
  const frame = document.getElementById(frameId ?? "")
  frameId = undefined
  if (!frame || document.activeElement !== document.body) return
  const element = frame.querySelector<HTMLElement>(FIELD) ?? frame
  element.focus()
}
