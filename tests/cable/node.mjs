// node.mjs ACTIONCABLE HARNESS ORIGIN COOKIE: evaluates the expressions on its input, line by line.
import { readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { runInThisContext } from "node:vm"

const [actioncable, harness, origin, cookie] = process.argv.slice(2)

// Browsers send these headers themselves, and the client listens for visibility on the window.
globalThis.WebSocket = class extends WebSocket {
  constructor(url, protocols) {
    super(url, { protocols, headers: { origin, cookie } })
  }
}
globalThis.self = globalThis
globalThis.document = { visibilityState: "visible" }
globalThis.addEventListener ??= () => {}
globalThis.removeEventListener ??= () => {}

for (const file of [actioncable, harness]) runInThisContext(readFileSync(file, "utf8"))

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(runInThisContext(line) ?? null))
}
process.exit()
