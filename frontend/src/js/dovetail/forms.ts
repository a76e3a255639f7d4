const SAFE = ["get", "dialog"]

/** Returns whether this is a form that changes something. */
export function isChange(target: EventTarget | null): target is HTMLFormElement {
  // Not the property, which does not support DELETE; Turbo sends it for links with data-turbo-method.
  return (
    target instanceof HTMLFormElement &&
    !SAFE.includes((target.getAttribute("method") ?? "get").toLowerCase())
  )
}

/** Returns whether a response shows a form with its errors, or with someone else's changes. */
export function showsErrors({ status }: Response): boolean {
  return status === 422 || status === 409
}
