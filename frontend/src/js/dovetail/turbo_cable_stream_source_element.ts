import { connectStreamSource, disconnectStreamSource } from "@hotwired/turbo"
import type { Subscription } from "@rails/actioncable"
import { subscribe, unsubscribe } from "./cable"
import { receive } from "./stream_keeping"

const GRACE_PERIOD = 2000 // milliseconds in which a page can't have missed much

/**
 * Follows the stream named in its signed attribute, and passes messages to Turbo.
 *
 * It has the tag and attributes of turbo-rails' element. `connected` is set while broadcasts arrive,
 * `rejected` after the server has rejected the subscription. It dispatches `cable:change` when either
 * changes, `cable:reconnected` when messages may have been missed, and `cable:lost` when access was
 * revoked.
 */
export class TurboCableStreamSourceElement extends HTMLElement {
  static observedAttributes = ["channel", "signed-stream-name"]

  #wasConnected = false
  #upToDateAt = 0 // when the page was last known to be complete; 0 if it may have missed something
  #current: object | undefined // identifies the latest subscription; older ones are ignored
  #subscription: Subscription | undefined

  connectedCallback(): void {
    this.#setStates({ connected: false, rejected: false }) // a page cached by Turbo has old states
    // A preview is about to be replaced.
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
    this.#upToDateAt = Date.now()
    const ifCurrent = (act: () => void) => () => {
      if (this.#current === current) act()
    }
    const subscription = await subscribe(
      {
        channel: this.getAttribute("channel") ?? "",
        signed_stream_name: this.getAttribute("signed-stream-name"),
        rendered_at: this.getAttribute("rendered-at"),
      },
      {
        connected: ifCurrent(() => this.#connected()),
        disconnected: ifCurrent(() => this.#disconnected()),
        rejected: ifCurrent(() => this.#rejected()),
        received: (data: string) =>
          ifCurrent(() =>
            receive(() => this.dispatchEvent(new MessageEvent("message", { data }))),
          )(),
      },
    )
    // The element may have been removed while the client was loading.
    if (this.#current === current) this.#subscription = subscription
    else unsubscribe(subscription)
  }

  #unsubscribe(): void {
    if (this.#subscription) unsubscribe(this.#subscription)
    this.#subscription = undefined
    this.#current = undefined
    this.#setStates({ connected: false, rejected: false })
  }

  /**
   * Dispatches `cable:reconnected` after any gap, even one without a disconnect, as when the computer
   * was asleep. The client's own `reconnected` is not enough: it is passed to only one subscription,
   * and not at all when the user returns to a tab.
   */
  #connected(): void {
    this.#setStates({ connected: true, rejected: false })
    if (Date.now() - this.#upToDateAt > GRACE_PERIOD) this.#dispatch("cable:reconnected")
  }

  #disconnected(): void {
    this.#upToDateAt = 0
    this.#setStates({ connected: false })
  }

  #rejected(): void {
    this.#setStates({ connected: false, rejected: true })
    if (this.#wasConnected) this.#dispatch("cable:lost")
  }

  #setStates(states: Record<string, boolean>): void {
    for (const [name, state] of Object.entries(states)) this.toggleAttribute(name, state)
    this.#wasConnected ||= this.hasAttribute("connected")
    this.#dispatch("cable:change")
  }

  #dispatch(event: string): void {
    document.dispatchEvent(new Event(event))
  }
}

customElements.define("turbo-cable-stream-source", TurboCableStreamSourceElement)
