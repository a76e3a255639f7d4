/** What the page says about signing in: data attributes of a template in components/toasts.html. */

/** Returns the id of the user that a page was rendered for, "" without one. */
export function userOf(page: Document): string | undefined {
  return page.querySelector<HTMLMetaElement>('meta[name="current-user-id"]')?.content
}

/** Returns whether the server answered with a page that asks the user to sign in or reauthenticate. */
export function asksToSignIn(response: Response): boolean {
  const paths = [urlOf("signIn"), urlOf("reauthenticate")]
  return response.redirected && paths.includes(new URL(response.url).pathname)
}

/** Returns the address that asks for a sign-in and then returns to this page. */
export function signInUrl(): string {
  const here = location.pathname + location.search
  return `${urlOf("signIn")}?${new URLSearchParams({ next: here })}`
}

export function isSignOut(form: HTMLFormElement): boolean {
  return actionOf(form) === urlOf("signOut")
}

/** Returns a form's path. Not its property, which a field named "action" would hide. */
export function actionOf(form: HTMLFormElement): string {
  return new URL(form.getAttribute("action") ?? "", document.baseURI).pathname
}

function urlOf(page: string): string | undefined {
  return document.querySelector<HTMLElement>("#unsaved")?.dataset[page]
}
