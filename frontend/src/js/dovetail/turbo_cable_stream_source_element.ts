import { connectStreamSource, disconnectStreamSource } from "@hotwired/turbo"
import type { Subscription } from "@rails/actioncable"
import { subscribe, unsubscribe } from "./cable"

const PROMPT = 2000 // milliseconds: a page that is younger has missed nothing worth a request

/**
 * Follows the stream that the server named and signed, and gives what comes to Turbo.
 *
 * The same tag and attributes as the element of turbo-rails. `connected` is there while broadcasts
 * arrive, `rejected` once the server has refused. Says with `cable:change` when either changes,
 * `cable:reconnected` when messages may have been missed, `cable:lost` when a right was taken away.
 */
export class TurboCableStreamSourceElement extends HTMLElement {
  static observedAttributes = ["channel", "signed-stream-name"]

  #wasConnected = false
  #upToDate = 0 // when the page showed all that had been said; 0 once it may lack something
  #current: object | undefined // stands for the latest subscription: what older ones say is void
  #subscription: Subscription | undefined

  connectedCallback(): void {
    this.#change({ connected: false, rejected: false }) // a copy that Turbo kept says otherwise
    // A preview is an old copy that is about to be replaced.
    if (document.documentElement.hasAttribute("data-turbo-preview")) return
    connectStreamSource(this)
    this.#subscribe()
  }

  disconnectedCallback(): void {
    disconnectStreamSource(this)
    this.#unsubscribe()
  }

  attributeChangedCallback(): void {
    if (!this.#current) return
    this.#unsubscribe()
    this.#subscribe()
  }

  async #subscribe(): Promise<void> {
    const current = {}
    this.#current = current
    this.#upToDate = Date.now()
    const only = (act: () => void) => () => {
      if (this.#current === current) act()
    }
    const subscription = await subscribe(
      {
        channel: this.getAttribute("channel") ?? "",
        signed_stream_name: this.getAttribute("signed-stream-name"),
      },
      {
        connected: only(() => this.#connected()),
        disconnected: only(() => this.#disconnected()),
        rejected: only(() => this.#rejected()),
        received: (data: string) =>
          only(() => this.dispatchEvent(new MessageEvent("message", { data })))(),
      },
    )
    // The element may have left the page while the client was loading.
    if (this.#current === current) this.#subscription = subscription
    else unsubscribe(subscription)
  }

  #unsubscribe(): void {
    if (this.#subscription) unsubscribe(this.#subscription)
    this.#subscription = undefined
    this.#current = undefined
    this.#change({ connected: false, rejected: false })
  }

  /**
   * Also after a gap that nobody announced, as of a socket that died in its sleep. The client's own
   * `reconnected` is of no use: it is said to one subscription, and not when a tab was returned to.
   */
  #connected(): void {
    this.#change({ connected: true, rejected: false })
    if (Date.now() - this.#upToDate > PROMPT) this.#tell("cable:reconnected")
  }

  #disconnected(): void {
    this.#upToDate = 0
    this.#change({ connected: false })
  }

  #rejected(): void {
    this.#change({ connected: false, rejected: true })
    if (this.#wasConnected) this.#tell("cable:lost")
  }

  #change(states: Record<string, boolean>): void {
    for (const [name, state] of Object.entries(states)) this.toggleAttribute(name, state)
    this.#wasConnected ||= this.hasAttribute("connected")
    this.#tell("cable:change")
  }

  #tell(event: string): void {
    document.dispatchEvent(new CustomEvent(event, { bubbles: true }))
  }
}

customElements.define("turbo-cable-stream-source", TurboCableStreamSourceElement)
