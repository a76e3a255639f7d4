import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { find, mount } from "../dovetail/testing"
import ConnectionController from "./connection_controller"

const source = () => find("turbo-cable-stream-source")

function change(): void {
  document.dispatchEvent(new CustomEvent("cable:change", { bubbles: true }))
}

beforeEach(async () => {
  vi.useFakeTimers()
  await mount(
    `<p data-controller="connection" data-connection-text-value="Paused." data-action="cable:change@document->connection#update"></p>
     <turbo-cable-stream-source></turbo-cable-stream-source>`,
    { connection: ConnectionController },
  )
})

afterEach(() => {
  vi.useRealTimers()
})

test("a short interruption is not shown", () => {
  vi.advanceTimersByTime(3000)
  source().toggleAttribute("connected", true)
  change()
  vi.advanceTimersByTime(9000)

  expect(find("p").textContent).toBe("")
})

test("a longer interruption is shown until the connection is back", () => {
  vi.advanceTimersByTime(4000)
  expect(find("p").textContent).toBe("Paused.")

  source().toggleAttribute("connected", true)
  change()
  expect(find("p").textContent).toBe("")
})

test("nothing is shown without subscriptions or if they were rejected", () => {
  source().toggleAttribute("rejected", true)
  vi.advanceTimersByTime(9000)

  expect(find("p").textContent).toBe("")
})
