import { adapters } from "@rails/actioncable"
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest"
import { find } from "./testing"
import "./turbo_cable_stream_source_element"

/** A fake WebSocket for the real client. */
class Socket {
  static readonly CONNECTING = 0
  static readonly OPEN = 1
  static readonly CLOSING = 2
  static readonly CLOSED = 3
  static opened: Socket[] = []

  readyState: number = Socket.CONNECTING
  protocol = "actioncable-v1-json"
  sent: { command: string; identifier: string }[] = []
  onmessage?: (event: { data: string }) => void
  onclose?: (event: object) => void
  onopen?: () => void
  #heartbeat: ReturnType<typeof setInterval>

  constructor() {
    Socket.opened.push(this)
    queueMicrotask(() => {
      this.readyState = Socket.OPEN
      this.onopen?.()
      this.deliver({ type: "welcome" })
    })
    // Without pings, the client would give up on the socket.
    this.#heartbeat = setInterval(() => this.deliver({ type: "ping" }), 3000)
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text))
  }

  deliver(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) })
  }

  close(): void {
    clearInterval(this.#heartbeat)
    this.readyState = Socket.CLOSED
    this.onclose?.({})
  }

  /** Simulates a lost network: nothing arrives, and closing is never completed. */
  loseNetwork(): void {
    clearInterval(this.#heartbeat)
    this.close = () => {
      this.readyState = Socket.CLOSING
    }
  }
}

const source = () => find("turbo-cable-stream-source")
const socket = () => Socket.opened.at(-1) as Socket
/** The commands sent, without those that the client repeats until it gets an answer. */
const commands = () =>
  socket()
    .sent.map(
      ({ command, identifier }) => `${command} ${JSON.parse(identifier).signed_stream_name}`,
    )
    .filter((command, index, all) => command !== all[index - 1])
function listen(event: string): ReturnType<typeof vi.fn> {
  const listener = vi.fn()
  document.addEventListener(event, listener)
  onTestFinished(() => document.removeEventListener(event, listener))
  return listener
}

const settle = () => vi.advanceTimersByTimeAsync(20)

async function follow(name = "news:signed"): Promise<string> {
  document.body.innerHTML = `<ul id="list"></ul>
    <turbo-cable-stream-source channel="TurboStreamsChannel" signed-stream-name="${name}" rendered-at="1">
    </turbo-cable-stream-source>`
  await vi.waitUntil(() => socket()?.sent.length)
  return JSON.stringify({
    channel: "TurboStreamsChannel",
    signed_stream_name: name,
    rendered_at: "1",
  })
}

beforeEach(() => {
  vi.useFakeTimers({ shouldAdvanceTime: true })
  vi.stubGlobal("WebSocket", Socket)
  adapters.WebSocket = Socket as unknown as typeof WebSocket
})

afterEach(async () => {
  document.body.innerHTML = ""
  delete document.documentElement.dataset.turboPreview
  await vi.advanceTimersByTimeAsync(6000) // until the idle socket is closed
  vi.useRealTimers()
  vi.unstubAllGlobals()
  Socket.opened = []
})

test("subscribes with the same identifier as turbo-rails", async () => {
  const identifier = await follow()

  expect(socket().sent).toEqual([{ command: "subscribe", identifier }])
})

test("has the connected attribute while connected", async () => {
  const identifier = await follow()
  expect(source().hasAttribute("connected")).toBe(false)

  socket().deliver({ type: "confirm_subscription", identifier })
  expect(source().hasAttribute("connected")).toBe(true)

  socket().close()
  expect(source().hasAttribute("connected")).toBe(false)
})

test.each([
  ["a prompt confirmation", 1500, 0],
  ["a late first confirmation", 2500, 1],
])("%s after %d ms refreshes the page %d times", async (_, wait, times) => {
  const missed = listen("cable:reconnected")
  const identifier = await follow()

  await vi.advanceTimersByTimeAsync(wait)
  socket().deliver({ type: "confirm_subscription", identifier })

  expect(missed).toHaveBeenCalledTimes(times)
})

test("a repeated confirmation does not refresh the page", async () => {
  const missed = listen("cable:reconnected")
  const identifier = await follow()

  socket().deliver({ type: "confirm_subscription", identifier })
  socket().deliver({ type: "confirm_subscription", identifier })

  expect(missed).not.toHaveBeenCalled()
})

test("returning to the tab after a disconnect refreshes the page", async () => {
  const identifier = await follow()
  socket().deliver({ type: "confirm_subscription", identifier })
  const missed = listen("cable:reconnected")

  socket().close()
  document.dispatchEvent(new Event("visibilitychange", { bubbles: true }))
  await vi.advanceTimersByTimeAsync(300) // the client opens another without counting an attempt
  expect(Socket.opened).toHaveLength(2)
  socket().deliver({ type: "confirm_subscription", identifier })

  expect(source().hasAttribute("connected")).toBe(true)
  expect(missed).toHaveBeenCalledOnce()
})

test("every subscription dispatches cable:reconnected", async () => {
  const first = await follow("one")
  const other = document.createElement("turbo-cable-stream-source")
  other.setAttribute("channel", "TurboStreamsChannel")
  other.setAttribute("signed-stream-name", "two")
  other.setAttribute("rendered-at", "1")
  document.body.append(other)
  await settle()
  const second = first.replace("one", "two")
  const confirm = () => {
    for (const identifier of [first, second])
      socket().deliver({ type: "confirm_subscription", identifier })
  }
  confirm()
  const missed = listen("cable:reconnected")

  socket().close()
  document.dispatchEvent(new Event("visibilitychange", { bubbles: true }))
  await vi.advanceTimersByTimeAsync(300)
  confirm()

  expect(missed).toHaveBeenCalledTimes(2)
})

test("an unresponsive socket counts as disconnected", async () => {
  const identifier = await follow()
  socket().deliver({ type: "confirm_subscription", identifier })
  socket().loseNetwork()

  for (let i = 0; i < 300 && source().hasAttribute("connected"); i++)
    await vi.advanceTimersByTimeAsync(100)

  expect(source().hasAttribute("connected")).toBe(false)
  expect(Socket.opened).toHaveLength(1) // even before the client opens another
})

test("passes messages to Turbo", async () => {
  const identifier = await follow()
  socket().deliver({ type: "confirm_subscription", identifier })
  const received = new Promise<MessageEvent>((resolve) => {
    source().addEventListener("message", (event) => resolve(event as MessageEvent))
  })

  socket().deliver({ identifier, message: "<turbo-stream></turbo-stream>" })

  expect((await received).data).toBe("<turbo-stream></turbo-stream>")
})

test("a rejected first subscription does not dispatch cable:lost", async () => {
  const lost = vi.fn()
  document.addEventListener("cable:lost", lost, { once: true })
  const identifier = await follow()

  socket().deliver({ type: "reject_subscription", identifier })

  expect(source().hasAttribute("rejected")).toBe(true)
  expect(lost).not.toHaveBeenCalled()
})

test("revoked access dispatches cable:lost", async () => {
  const lost = vi.fn()
  document.addEventListener("cable:lost", lost, { once: true })
  const identifier = await follow()
  socket().deliver({ type: "confirm_subscription", identifier })

  socket().deliver({ type: "reject_subscription", identifier })

  expect(source().hasAttribute("connected")).toBe(false)
  expect(lost).toHaveBeenCalledOnce()
})

test("a changed name replaces the subscription", async () => {
  await follow("one")

  source().setAttribute("signed-stream-name", "two")
  await settle()

  expect(commands()).toEqual(["subscribe one", "unsubscribe one", "subscribe two"])
})

test("removing the element ends the subscription, and soon the socket", async () => {
  await follow()

  source().remove()
  await settle()
  expect(socket().sent.at(-1)?.command).toBe("unsubscribe")
  expect(socket().readyState).toBe(Socket.OPEN)

  await vi.advanceTimersByTimeAsync(5000)
  expect(socket().readyState).toBe(Socket.CLOSED)
})

test("the next page reuses the open socket", async () => {
  await follow("one")
  source().remove()
  await vi.advanceTimersByTimeAsync(3000)

  await follow("two")
  await vi.advanceTimersByTimeAsync(2500)

  expect(Socket.opened).toHaveLength(1)
  expect(commands()).toEqual(["subscribe one", "unsubscribe one", "subscribe two"])
})

test("an element removed while the client is loading unsubscribes", async () => {
  await follow("one")
  const late = document.createElement("turbo-cable-stream-source")
  late.setAttribute("channel", "TurboStreamsChannel")
  late.setAttribute("signed-stream-name", "two")

  document.body.append(late)
  late.remove()
  await settle()

  expect(commands()).toEqual(["subscribe one", "subscribe two", "unsubscribe two"])
})

test("does not subscribe in a preview", async () => {
  document.documentElement.dataset.turboPreview = ""
  document.body.innerHTML = "<turbo-cable-stream-source connected></turbo-cable-stream-source>"
  await settle()

  expect(Socket.opened).toHaveLength(0)
  expect(source().hasAttribute("connected")).toBe(false)
})
