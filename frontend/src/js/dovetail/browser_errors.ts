import { showError } from "./error_toast"

/** What to do about the errors with which browsers refuse access to a device or a permission. */
const REMEDIES: Record<string, string> = {
  NotAllowedError: "Allow it in this site’s settings, then try again.",
  SecurityError: "Browsers allow this only over HTTPS or at localhost.",
  NotSupportedError: "Try another browser or device.",
  QuotaExceededError: "Free some space, then try again.",
}

/**
 * Reports a refusal that no code has handled, so that a click never just does nothing.
 *
 * What was aborted is no error: Turbo aborts what it loads when the next visit begins, and handles
 * that nowhere if a part of the answer has arrived.
 */
export function reportRefusal(event: PromiseRejectionEvent): void {
  const { reason } = event
  if (!(reason instanceof DOMException)) return
  if (reason.name === "AbortError") event.preventDefault()
  const remedy = REMEDIES[reason.name]
  if (remedy) showError(`Your browser didn’t allow this. ${remedy}`)
}
