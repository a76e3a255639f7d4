/*
 * Keeps unsaved input that a broadcast would remove or replace. The answer to the page's own form may
 * do that, since it has saved what was typed.
 */
import { showError } from "./error_toast"
import { hasUnsaved } from "./unsaved"

type Stream = Element & { action: string; targetElements: Element[] }

const LOSING = ["remove", "replace", "update"] // actions that lose the content of an element

let isBroadcast = false

/** Delivers a broadcast, which Turbo looks at before this returns. */
export function receive(deliver: () => void): void {
  isBroadcast = true
  try {
    deliver()
  } finally {
    isBroadcast = false
  }
}

export function keepFromStream(event: Event): void {
  const stream = event.target as Stream
  // A morph keeps unsaved fields itself.
  if (!isBroadcast || !LOSING.includes(stream.action) || stream.getAttribute("method") === "morph")
    return
  if (!stream.targetElements.some(hasUnsaved)) return
  event.preventDefault()
  const change = stream.action === "remove" ? "deleted" : "changed"
  showError(`This was ${change} while you were editing it. Your text is still here.`, {
    takesFocus: false,
  })
}
