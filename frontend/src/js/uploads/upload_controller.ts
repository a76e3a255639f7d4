import type { Controller } from "@hotwired/stimulus"

interface Target {
  url: string
  fields: Record<string, string>
  complete: string
}

interface Uploaded {
  id: string
  name: string
}

const REFUSED = 422 // the file itself is wrong, so that another attempt would be, too
const TOKEN = "csrfmiddlewaretoken"

/** What the server says is wrong. */
class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/**
 * Returns the controller that sends a file while the rest of its form is filled in, and puts the id
 * of the upload into the form instead. If that fails, the file stays in its input and is sent with
 * the form. Submitting the form waits for the upload.
 *
 * @param Base - Stimulus' controller; only some pages load this one (application.ts has no room).
 */
export function uploadController(Base: typeof Controller) {
  return class UploadController extends Base<HTMLElement> {
    static targets = [
      ...["input", "progress", "label", "bar", "percent", "waiting"],
      ...["failure", "message", "retry", "kept", "id", "name", "status"],
    ]
    static values = { url: String }

    declare readonly inputTarget: HTMLInputElement
    declare readonly progressTarget: HTMLElement
    declare readonly labelTarget: HTMLElement
    declare readonly barTarget: HTMLProgressElement
    declare readonly percentTarget: HTMLElement
    declare readonly waitingTarget: HTMLElement
    declare readonly failureTarget: HTMLElement
    declare readonly messageTarget: HTMLElement
    declare readonly retryTarget: HTMLElement
    declare readonly keptTarget: HTMLElement
    declare readonly idTarget: HTMLInputElement
    declare readonly nameTarget: HTMLElement
    declare readonly statusTarget: HTMLElement
    declare readonly urlValue: string

    #attempt?: AbortController
    #form: HTMLFormElement | null = null
    #submitter?: HTMLElement | null

    connect(): void {
      this.#form = this.element.closest("form")
      this.#form?.addEventListener("submit", this.#hold)
      if (!this.#attempt) this.#showIdle() // a page that Turbo kept shows what was going on then
    }

    /** Ends nothing: the element may be moved, and an upload that no form takes is deleted later. */
    disconnect(): void {
      this.#form?.removeEventListener("submit", this.#hold)
    }

    async start(): Promise<void> {
      this.#attempt?.abort()
      this.#attempt = undefined
      this.#showIdle()
      const file = this.inputTarget.files?.[0]
      if (file) await this.#upload(file)
    }

    async retry(): Promise<void> {
      await this.start()
    }

    cancel(): void {
      this.#attempt?.abort()
      this.#attempt = undefined
      this.inputTarget.value = ""
      this.#showIdle()
      this.statusTarget.textContent = "Upload canceled."
      this.inputTarget.focus()
    }

    async #upload(file: File): Promise<void> {
      const attempt = new AbortController()
      this.#attempt = attempt
      this.#showStart(file)
      const post = <Answer>(url: string, values: Record<string, string>) =>
        ask<Answer>(url, { ...values, [TOKEN]: this.#token }, attempt.signal)
      try {
        const { name, size, type } = file
        const target = await post<Target>(this.urlValue, { name, size: String(size), type })
        await send(target, file, attempt.signal, (part) => this.#showPart(part))
        const uploaded = await post<Uploaded>(target.complete, {})
        if (attempt.signal.aborted) return
        this.#attempt = undefined
        this.#showDone(uploaded)
      } catch (error) {
        if (attempt.signal.aborted) return
        this.#attempt = undefined
        this.#showFailure(file, error)
      }
    }

    get #token(): string {
      return this.#form?.querySelector<HTMLInputElement>(`[name=${TOKEN}]`)?.value ?? ""
    }

    #hold = (event: SubmitEvent): void => {
      if (!this.#attempt) return
      event.preventDefault()
      event.stopImmediatePropagation()
      this.#submitter = event.submitter
      this.waitingTarget.hidden = false
      this.statusTarget.textContent = this.waitingTarget.textContent
    }

    #showIdle(): void {
      this.#submitter = undefined
      this.progressTarget.hidden = true
      this.waitingTarget.hidden = true
      this.failureTarget.hidden = true
      this.statusTarget.textContent = ""
      if (this.messageTarget.textContent) {
        this.messageTarget.textContent = ""
        this.#mark(false)
      }
    }

    #showStart(file: File): void {
      this.labelTarget.textContent = `Uploading “${file.name}”`
      this.statusTarget.textContent = this.labelTarget.textContent
      this.progressTarget.hidden = false
      this.#showPart(0)
    }

    #showPart(part: number): void {
      this.barTarget.value = part
      this.percentTarget.textContent = `${Math.round(part * 100)}%`
    }

    #showDone({ id, name }: Uploaded): void {
      const submitter = this.#submitter
      this.#showIdle()
      this.inputTarget.value = "" // or it would be sent again, with the form
      this.idTarget.value = id
      this.idTarget.disabled = false
      this.idTarget.checked = true
      this.nameTarget.textContent = name
      this.keptTarget.hidden = false
      this.statusTarget.textContent = `“${name}” is uploaded.`
      if (submitter !== undefined) this.#form?.requestSubmit(submitter)
    }

    #showFailure(file: File, error: unknown): void {
      this.#showIdle()
      const isRefused = error instanceof Refusal && error.status === REFUSED
      if (isRefused) this.inputTarget.value = ""
      this.messageTarget.textContent =
        error instanceof Refusal
          ? `“${file.name}”: ${error.message}`
          : `“${file.name}” couldn’t be uploaded. Check your network and try again, or just save: ` +
            "the file is then sent with the form."
      this.retryTarget.hidden = isRefused
      this.failureTarget.hidden = false
      this.#mark(true)
    }

    /** Marks the input as the server does, or takes the mark away. */
    #mark(isInvalid: boolean): void {
      this.inputTarget.classList.toggle("file-input-error", isInvalid)
      this.inputTarget.toggleAttribute("aria-invalid", isInvalid)
      if (isInvalid) this.inputTarget.setAttribute("aria-invalid", "true")
    }
  }
}

/** Sends a form of this site, and returns its JSON. */
async function ask<Answer>(
  url: string,
  values: Record<string, string>,
  signal: AbortSignal,
): Promise<Answer> {
  const response = await fetch(url, {
    method: "POST",
    body: new URLSearchParams(values),
    headers: { Accept: "application/json" },
    signal,
  })
  const answer = await response.json()
  if (!response.ok) throw new Refusal(response.status, answer.error)
  return answer
}

/** Sends a file, which `fetch` could do, but without telling how far it is. */
function send(
  { url, fields }: Target,
  file: File,
  signal: AbortSignal,
  onPart: (part: number) => void,
): Promise<void> {
  const body = new FormData()
  for (const [name, value] of Object.entries(fields)) body.append(name, value)
  body.append("file", file) // last, as S3 wants it
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    const fail = () => reject(new Error(`${request.status}`))
    request.upload.addEventListener("progress", ({ loaded, total }) => onPart(loaded / total))
    request.addEventListener("load", () => (request.status < 300 ? resolve() : fail()))
    request.addEventListener("error", fail)
    request.addEventListener("abort", fail)
    signal.addEventListener("abort", () => request.abort())
    request.open("POST", url)
    request.send(body)
  })
}
