import { afterEach, expect, test, vi } from "vitest"
import { subscribe, unsubscribe } from "./cable"

const callbacks = {}
let isOffline = true
const disconnect = vi.fn()

vi.mock("@rails/actioncable", () => ({
  get createConsumer() {
    if (isOffline) throw new TypeError("Failed to fetch dynamically imported module")
    return () => ({
      connection: { reopen: vi.fn() },
      subscriptions: { create: () => ({ unsubscribe: vi.fn() }) },
      disconnect,
    })
  },
}))

afterEach(() => {
  vi.useRealTimers()
})

test("loads the client again after loading it has failed", async () => {
  vi.useFakeTimers()
  const params = { channel: "TurboStreamsChannel" }
  await expect(subscribe(params, callbacks)).rejects.toThrow("Failed to fetch")

  isOffline = false
  const subscription = await subscribe(params, callbacks)
  unsubscribe(subscription)
  await vi.advanceTimersByTimeAsync(5000)

  // The failed subscription is not counted, so none is left.
  expect(disconnect).toHaveBeenCalledOnce()
})
