import { showError } from "./error_toast"

/** What to do about the errors with which browsers refuse access to a device or a permission. */
const REMEDIES: Record<string, string> = {
  NotAllowedError: "Allow it in this site’s settings, then try again.",
  SecurityError: "Browsers allow this only over HTTPS or at localhost.",
  NotSupportedError: "Try another browser or device.",
  QuotaExceededError: "Free some space, then try again.",
}

/** Reports a refusal that no code has handled, so that a click never just does nothing. */
export function reportRefusal({ reason }: PromiseRejectionEvent): void {
  const remedy = reason instanceof DOMException && REMEDIES[reason.name]
  if (remedy) showError(`Your browser didn’t allow this. ${remedy}`)
}
