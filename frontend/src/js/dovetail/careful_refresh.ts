/*
 * Refreshes a page with unsaved input only if the new page can keep it. An error, a sign-in or the page
 * of another user would replace the form, and what was typed would be lost.
 */
import { showError } from "./error_toast"
import { fetchPage, OFFLINE, reasonFor, SIGNED_OUT, signInLink } from "./failed_forms"
import { asksToSignIn, userOf } from "./sign_in"

const NOT_FOUND = 404

let reported: string | undefined // the reason that the user was told last

/** Shows the new page if it is still there for this user; otherwise leaves the old one, and says why. */
export async function showIfKept(url: string, show: () => void): Promise<void> {
  const status = await statusOf(url)
  if (url !== document.baseURI) return
  if (status === undefined) {
    reported = undefined
    show()
    return
  }
  const reason = reasonFor(status)
  if (reason === reported) return // with each further refresh
  reported = reason
  showError(`This page couldn’t be refreshed. Your text is still here. ${reason}`, {
    link: status === SIGNED_OUT ? signInLink(true) : undefined,
    takesFocus: false,
  })
}

/** Returns why a page cannot replace this one, as the status of a response; undefined if it can. */
async function statusOf(url: string): Promise<number | undefined> {
  try {
    const { response, page } = await fetchPage(url)
    if (asksToSignIn(response)) return SIGNED_OUT
    if (!response.ok) return response.status
    if (userOf(page) !== userOf(document)) return SIGNED_OUT
    return response.redirected ? NOT_FOUND : undefined
  } catch {
    return OFFLINE
  }
}
