/*
 * Keeps what was typed into a form while it is submitted, in case the session has ended: the server
 * then asks for a sign-in and returns to an empty form. A draft stays in its tab, belongs to one user
 * and one form, and is dropped on success, on sign-out and after a day. Passwords, files, hidden
 * fields and fields with autocomplete="off" are never kept.
 */
import { cache } from "@hotwired/turbo"
import { trustDrafts } from "./failed_forms"
import { isChange } from "./forms"
import { actionOf, asksToSignIn, isSignOut, userOf } from "./sign_in"

type SubmitEnd = CustomEvent<{ success: boolean; fetchResponse?: { response: Response } }>
type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement
type Values = [name: string, value: string][]

interface Draft {
  time: number
  values: Values
}

const PREFIX = "draft:"
const SIGNED_OUT = "drafts:signed-out"
const MAX_AGE = 24 * 60 * 60 * 1000 // milliseconds
const MAX_SIZE = 200_000 // characters
const NEVER_TYPES = ["password", "file", "hidden", "submit", "button", "image", "reset"]
const NEVER_AUTOCOMPLETE = /password|one-time-code|^cc-|^off$/

/** Starts to keep drafts, and restores those of the page that is open. */
export function startDrafts(): void {
  addEventListener("turbo:submit-start", saveDraft)
  addEventListener("turbo:submit-end", dropDraft)
  addEventListener("turbo:load", restoreDrafts)
  addEventListener("turbo:frame-load", restoreDrafts)
  addEventListener("submit", dropDraftsOnSignOut, { capture: true })
  addEventListener("storage", dropDraftsOfOtherTab)
  trustDrafts(hasDraft)
  restoreDrafts()
}

/** Keeps the form's text while it is being submitted. */
function saveDraft({ target }: Event): void {
  if (!isChange(target) || !userOf(document)) return
  const values = valuesOf(target)
  const draft = JSON.stringify({ time: Date.now(), values })
  drop(keyOf(target))
  if (!values.length || draft.length > MAX_SIZE) return
  attempt(() => sessionStorage.setItem(keyOf(target), draft))
}

function hasDraft(form: HTMLFormElement): boolean {
  return attempt(() => sessionStorage.getItem(keyOf(form))) != null || !valuesOf(form).length
}

/**
 * Drops the draft once the server has saved the text. What it has returned with errors is not saved,
 * and a refresh of the page would replace it.
 */
function dropDraft(event: Event): void {
  const { target, detail } = event as SubmitEnd
  const response = detail.fetchResponse?.response
  if (!isChange(target) || !response || asksToSignIn(response)) return
  if (detail.success) drop(keyOf(target))
}

/** Drops all drafts when the user signs out, in other tabs, too. */
function dropDraftsOnSignOut({ target }: Event): void {
  if (!(target instanceof HTMLFormElement) || !isSignOut(target)) return
  for (const key of keys()) drop(key)
  attempt(() => localStorage.setItem(SIGNED_OUT, String(Date.now())))
}

/** Forgets what this tab has of the user who signed out in another one, pages it went back to, too. */
function dropDraftsOfOtherTab({ key }: StorageEvent): void {
  if (key !== SIGNED_OUT) return
  for (const draft of keys()) drop(draft)
  cache.clear()
}

/** Fills the forms of a new page or frame with their drafts, and says so. */
function restoreDrafts(): void {
  const user = userOf(document)
  if (!user || document.documentElement.hasAttribute("data-turbo-preview")) return
  for (const key of keys()) {
    // Another user's text must not stay readable to this one.
    if (!key.startsWith(`${PREFIX}${user}:`) || !read(key)) drop(key)
  }
  for (const form of document.forms) if (isChange(form)) restore(form)
}

function restore(form: HTMLFormElement): void {
  const draft = read(keyOf(form))
  if (!draft || form.querySelector("[data-draft]") || form.ariaBusy === "true") return
  const before = valuesOf(form)
  const typed = (values: Values) =>
    JSON.stringify(values.filter(([name]) => !isVersion(form, name)))
  if (typed(before) === typed(draft.values)) return
  fill(form, draft.values)
  announce(form, () => {
    drop(keyOf(form))
    fill(form, before)
  })
}

function announce(form: HTMLFormElement, discard: () => void): void {
  const template = document.querySelector<HTMLTemplateElement>("#draft-notice")
  const notice = template?.content.firstElementChild?.cloneNode(true)
  if (!(notice instanceof HTMLElement)) return
  notice.querySelector("button")?.addEventListener("click", () => {
    notice.remove()
    discard()
    fieldsOf(form)[0]?.focus()
  })
  const files = notice.querySelector<HTMLElement>("[data-files]")
  if (files) files.hidden = !form.querySelector('input[type="file"]')
  form.prepend(notice)
}

function fieldsOf(form: HTMLFormElement): Field[] {
  const fields = form.querySelectorAll<Field>("input[name], select[name], textarea[name]")
  return Array.from(fields).filter((field) => !field.disabled && isKept(field, form))
}

function isKept(field: Field, form: HTMLFormElement): boolean {
  // The version shows whether someone else has changed the text since then; it is no secret.
  if ("version" in field.dataset) return true
  const autocomplete = field.getAttribute("autocomplete") ?? form.getAttribute("autocomplete") ?? ""
  return !NEVER_TYPES.includes(field.type) && !NEVER_AUTOCOMPLETE.test(autocomplete)
}

function isVersion(form: HTMLFormElement, name: string): boolean {
  return form.querySelector(`[data-version][name="${CSS.escape(name)}"]`) !== null
}

function isChoice(field: Field): field is HTMLInputElement {
  return field.type === "checkbox" || field.type === "radio"
}

function valuesOf(form: HTMLFormElement): Values {
  return fieldsOf(form).flatMap((field): Values => {
    if (field instanceof HTMLSelectElement)
      return Array.from(field.selectedOptions, (option) => [field.name, option.value])
    return isChoice(field) && !field.checked ? [] : [[field.name, field.value]]
  })
}

function fill(form: HTMLFormElement, values: Values): void {
  const left = [...values]
  for (const field of fieldsOf(form)) {
    const has = (value: string) =>
      values.some(([name, other]) => name === field.name && other === value)
    if (field instanceof HTMLSelectElement)
      for (const option of field.options) option.selected = has(option.value)
    else if (isChoice(field)) field.checked = has(field.value)
    else {
      const next = left.findIndex(([name]) => name === field.name)
      if (next >= 0) field.value = left.splice(next, 1)[0]?.[1] ?? ""
    }
    field.dispatchEvent(new Event("input", { bubbles: true }))
  }
}

/** Tells the forms of a page apart by their fields, since they may be sent to the same address. */
function keyOf(form: HTMLFormElement): string {
  const names = new Set(fieldsOf(form).map(({ name }) => name))
  return `${PREFIX}${userOf(document)}:${actionOf(form)}:${Array.from(names)}`
}

function keys(): string[] {
  return attempt(() => Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX))) ?? []
}

function read(key: string): Draft | undefined {
  return attempt(() => {
    const draft: Draft | null = JSON.parse(sessionStorage.getItem(key) ?? "null")
    return draft && Date.now() - draft.time < MAX_AGE ? draft : undefined
  })
}

function drop(key: string): void {
  attempt(() => sessionStorage.removeItem(key))
}

/** Storage may be full or forbidden. failed_forms.ts then keeps the form instead. */
function attempt<T>(use: () => T): T | undefined {
  try {
    return use()
  } catch {
    return undefined
  }
}
