import { Controller } from "@hotwired/stimulus"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { find, mount } from "../dovetail/testing"
import { uploadController } from "./upload_controller"

const PAGE = `
  <form method="post">
    <input type="hidden" name="csrfmiddlewaretoken" value="token">
    <div data-controller="upload" data-upload-url-value="/uploads/">
      <input type="file" data-upload-target="input" data-action="upload#start">
      <div data-upload-target="progress" hidden>
        <p data-upload-target="label"></p>
        <progress max="1" value="0" data-upload-target="bar"></progress>
        <span data-upload-target="percent"></span>
        <button type="button" id="cancel" data-action="upload#cancel">Cancel</button>
        <p data-upload-target="waiting" hidden>Waiting</p>
      </div>
      <div data-upload-target="failure" hidden>
        <p data-upload-target="message"></p>
        <button type="button" data-upload-target="retry" data-action="upload#retry"></button>
      </div>
      <div data-upload-target="kept" hidden>
        <input type="checkbox" name="cover-upload" disabled data-upload-target="id">
        <span data-upload-target="name"></span>
      </div>
      <p role="status" data-upload-target="status"></p>
    </div>
    <button id="save">Save</button>
  </form>`

/** The network: what the site answers, and the requests that carry files. */
let answers: { status: number; body: unknown }[] = []
let asked: [string, Record<string, string>][] = []
let sent: FakeRequest[] = []

class FakeRequest extends EventTarget {
  upload = new EventTarget()
  status = 0
  body = new FormData()
  isAborted = false

  open(): void {
    sent.push(this)
  }

  send(body: FormData): void {
    this.body = body
  }

  abort(): void {
    this.isAborted = true
    this.dispatchEvent(new Event("abort"))
  }

  end(status: number): void {
    this.status = status
    this.dispatchEvent(new Event(status ? "load" : "error"))
  }
}

const target = { url: "/there/", fields: { key: "incoming/1" }, complete: "/uploads/1/completion/" }
const begun = { status: 201, body: { id: "1", ...target } }
const completed = { status: 200, body: { id: "1", name: "oak.png" } }

beforeEach(async () => {
  answers = []
  asked = []
  sent = []
  vi.stubGlobal("XMLHttpRequest", FakeRequest)
  vi.stubGlobal("fetch", async (url: string, { body }: { body: URLSearchParams }) => {
    asked.push([url, Object.fromEntries(body)])
    const answer = answers.shift()
    if (!answer) throw new TypeError("offline")
    return { ok: answer.status < 400, status: answer.status, json: async () => answer.body }
  })
  await mount(PAGE, { upload: uploadController(Controller) })
})

afterEach(() => {
  vi.unstubAllGlobals()
})

const part = (name: string) => find(`[data-upload-target=${name}]`)
const input = () => find<HTMLInputElement>("[type=file]")
const id = () => find<HTMLInputElement>("[name=cover-upload]")

async function choose(...ahead: { status: number; body: unknown }[]): Promise<void> {
  answers = ahead
  const files = [new File(["pixels"], "oak.png", { type: "image/png" })]
  Object.defineProperty(input(), "files", { value: files, configurable: true })
  input().dispatchEvent(new Event("input", { bubbles: true }))
  await vi.waitFor(() => expect(asked.length).toBeGreaterThan(0))
}

async function request(): Promise<FakeRequest> {
  return vi.waitFor(() => {
    const last = sent.at(-1)
    if (!last) throw new Error("Nothing is sent")
    return last
  })
}

test("puts the id of the upload into the form", async () => {
  await choose(begun, completed)
  expect(asked).toEqual([
    ["/uploads/", { name: "oak.png", size: "6", type: "image/png", csrfmiddlewaretoken: "token" }],
  ])
  expect(part("progress").hidden).toBe(false)
  expect(part("label").textContent).toBe("Uploading “oak.png”")

  const { upload, body } = await request()
  expect(Array.from(body.keys())).toEqual(["key", "file"])
  upload.dispatchEvent(new ProgressEvent("progress", { loaded: 1, total: 4 }))
  expect(find<HTMLProgressElement>("progress").value).toBe(0.25)
  expect(part("percent").textContent).toBe("25%")

  sent[0]?.end(201)
  await vi.waitFor(() => expect(part("kept").hidden).toBe(false))
  expect(asked[1]?.[0]).toBe(target.complete)
  expect([id().value, id().checked, id().disabled]).toEqual(["1", true, false])
  expect(part("name").textContent).toBe("oak.png")
  expect(part("progress").hidden).toBe(true)
  expect(part("status").textContent).toBe("“oak.png” is uploaded.")
})

test("shows what is wrong with a file, as the server says it", async () => {
  await choose({ status: 422, body: { error: "It’s too large." } })
  await vi.waitFor(() => expect(part("failure").hidden).toBe(false))

  expect(part("message").textContent).toBe("“oak.png”: It’s too large.")
  expect(part("retry").hidden).toBe(true)
  expect(input().getAttribute("aria-invalid")).toBe("true")
  expect(sent).toEqual([])
})

test.each([
  ["the network", 0],
  ["the storage", 403],
])("keeps the file after a failure of %s, and tries again", async (_what, status) => {
  await choose(begun)
  ;(await request()).end(status)
  await vi.waitFor(() => expect(part("failure").hidden).toBe(false))
  expect(part("message").textContent).toContain("just save: the file is then sent with the form")
  expect(input().files?.length).toBe(1)
  expect(id().disabled).toBe(true)

  answers = [begun, completed]
  sent = []
  part("retry").click()
  ;(await request()).end(201)
  await vi.waitFor(() => expect(id().value).toBe("1"))
  expect(part("failure").hidden).toBe(true)
  expect(input().hasAttribute("aria-invalid")).toBe(false)
})

test("cancels", async () => {
  await choose(begun)
  const { isAborted } = await request()
  expect(isAborted).toBe(false)
  find("#cancel").click()

  expect(sent[0]?.isAborted).toBe(true)
  expect(part("progress").hidden).toBe(true)
  expect(part("status").textContent).toBe("Upload canceled.")
  await Promise.resolve()
  expect(part("failure").hidden).toBe(true)
})

test("submits the form once the upload is complete", async () => {
  const form = find<HTMLFormElement>("form")
  const submitted = vi.fn()
  document.body.addEventListener("submit", submitted, { once: true })
  const resumed = vi.spyOn(form, "requestSubmit").mockImplementation(() => undefined)
  await choose(begun, completed)
  const event = new SubmitEvent("submit", { bubbles: true, cancelable: true })
  Object.defineProperty(event, "submitter", { value: find("#save") })

  form.dispatchEvent(event)
  expect(event.defaultPrevented).toBe(true)
  expect(submitted).not.toHaveBeenCalled()
  expect(part("waiting").hidden).toBe(false)
  ;(await request()).end(201)

  await vi.waitFor(() => expect(resumed).toHaveBeenCalledExactlyOnceWith(find("#save")))
})

test("does not submit the form if the upload fails", async () => {
  const form = find<HTMLFormElement>("form")
  const resumed = vi.spyOn(form, "requestSubmit").mockImplementation(() => undefined)
  await choose(begun)
  form.dispatchEvent(new SubmitEvent("submit", { bubbles: true, cancelable: true }))
  ;(await request()).end(0)

  await vi.waitFor(() => expect(part("failure").hidden).toBe(false))
  expect(resumed).not.toHaveBeenCalled()
  const again = new SubmitEvent("submit", { bubbles: true, cancelable: true })
  form.dispatchEvent(again)
  expect(again.defaultPrevented).toBe(false)
})

test("goes on when its element is moved", async () => {
  await choose(begun, completed)
  const element = find("[data-controller=upload]")
  const parent = find("form")
  element.remove()
  await Promise.resolve()
  parent.append(element)
  ;(await request()).end(201)

  await vi.waitFor(() => expect(id().value).toBe("1"))
})
