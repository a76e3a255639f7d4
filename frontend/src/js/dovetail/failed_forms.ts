/*
 * Keeps a form whose submission failed, with everything that was typed. Turbo would morph the error
 * page around it: the message would be out of sight, and the next attempt would fail, too, since the
 * form keeps its CSRF token.
 */
import { showError } from "./error_toast"
import { isChange, showsErrors } from "./forms"
import { asksToSignIn, signInUrl, userOf } from "./sign_in"

type ResponseEvent = CustomEvent<{ fetchResponse: { response: Response } }>
type SubmitEnd = CustomEvent<{ success: boolean; fetchResponse?: object }>
type ErrorEvent = CustomEvent<{ error: Error }>

export const OFFLINE = 0
export const SIGNED_OUT = 401
const TOKEN = 'input[name="csrfmiddlewaretoken"]'
const TIMEOUT = 5000 // milliseconds

const REASONS: Record<number, string> = {
  [OFFLINE]: "Check your network, then try again.",
  [SIGNED_OUT]: "You’re no longer signed in.",
  400: "The server couldn’t process it. Try again.",
  403: "This page was open for too long, or you don’t have permission. Try again.",
  404: "The page no longer exists, or you’ve lost access to it.",
  413: "It’s too large. Choose a smaller file or shorten the text, then try again.",
  429: "You’ve tried too often. Wait a few minutes, then try again.",
  500: "Something went wrong on our side. Try again in a moment.",
}

let hasDraft = (_form: HTMLFormElement): boolean => false

/** Sets the function that tells whether a form's text would survive a sign-in. */
export function trustDrafts(check: (form: HTMLFormElement) => boolean): void {
  hasDraft = check
}

const reported = new WeakSet<object>()
const kept = new WeakSet<object>()

/** Returns whether Turbo renders no page for this response, because the form was kept. */
export function isKept(fetchResponse: object): boolean {
  return kept.has(fetchResponse)
}

/** Keeps the form and shows why, unless the response is meant to be rendered. */
export function keepFailedForm(event: Event): void {
  const { target, detail } = event as ResponseEvent
  if (!isChange(target)) return
  const { response } = detail.fetchResponse
  if (showsErrors(response)) expectNewVersion(target)
  const isSignIn = asksToSignIn(response)
  // The sign-in page returns to the form, which gets its draft back: but not in a frame.
  if (isSignIn && hasDraft(target) && !target.closest("turbo-frame")) return
  const isStream = response.headers.get("Content-Type")?.startsWith("text/vnd.turbo-stream")
  if (!isSignIn && (response.status < 400 || showsErrors(response) || isStream)) return
  event.preventDefault()
  kept.add(detail.fetchResponse)
  explain(target, isSignIn ? SIGNED_OUT : response.status)
}

/** Corrects what other listeners are told about a kept form whose response was a sign-in page. */
export function correctSuccess(event: Event): void {
  const { detail } = event as SubmitEnd
  if (detail.fetchResponse && isKept(detail.fetchResponse)) detail.success = false
}

/** Keeps the form if there was no response. */
export function keepUnsentForm(event: Event): void {
  const { target, detail } = event as ErrorEvent
  if (!isChange(target)) return
  event.preventDefault()
  reported.add(detail.error) // Turbo throws it again
  explain(target, OFFLINE)
}

export function ignoreReported(event: PromiseRejectionEvent): void {
  if (event.reason instanceof Error && reported.has(event.reason)) event.preventDefault()
}

/** Lets the form's new version replace the old one, which page refreshes keep (morphing.ts). */
function expectNewVersion(form: HTMLFormElement): void {
  form.querySelector("[data-version]")?.removeAttribute("data-version")
}

/** Shows why a form was not saved, after giving it a fresh token, so that the next attempt works. */
async function explain(form: HTMLFormElement, status: number): Promise<void> {
  const user = status === OFFLINE ? userOf(document) : await renewTokens(form)
  const isSignedOut = status === SIGNED_OUT || (userOf(document) && user === "")
  const reason = reasonFor(isSignedOut ? SIGNED_OUT : status)
  // Without a draft, this page has the only copy.
  const link = isSignedOut ? signInLink(!hasDraft(form)) : undefined
  showError(`This couldn’t be saved. Your text is still here. ${reason}`, { link })
}

/** Returns what to do after a response with this status, or after none. */
export function reasonFor(status: number): string | undefined {
  return REASONS[status] ?? REASONS[status < 500 ? 400 : 500]
}

/** Returns a link that asks for a sign-in, in a new tab if this page has the only copy of a text. */
export function signInLink(opensTab: boolean) {
  return { href: signInUrl(), text: "Sign in", opensTab }
}

/** Fetches the form's page again for its CSRF token and cookie; returns the id of its user. */
async function renewTokens(form: HTMLFormElement): Promise<string | undefined> {
  const url = form.closest("turbo-frame[src]")?.getAttribute("src") ?? location.href
  const before = userOf(document)
  try {
    const { page } = await fetchPage(url)
    const token = page.querySelector<HTMLInputElement>(TOKEN)?.value
    // Not for someone else, who may have signed in in another tab: the text is not theirs.
    if (token && (!before || !userOf(page) || userOf(page) === before)) replaceTokens(token)
    return userOf(page)
  } catch {
    return before // the next attempt fails, too, and tries again
  }
}

/** Fetches a page without showing it. */
export async function fetchPage(url: string): Promise<{ response: Response; page: Document }> {
  const response = await fetch(url, {
    cache: "no-store",
    headers: { "X-Sec-Purpose": "prefetch" }, // leaves pending messages for a page that is shown
    signal: AbortSignal.timeout(TIMEOUT),
  })
  const page = new DOMParser().parseFromString(await response.text(), "text/html")
  return { response, page }
}

function replaceTokens(token: string): void {
  for (const input of document.querySelectorAll<HTMLInputElement>(TOKEN)) input.value = token
}
