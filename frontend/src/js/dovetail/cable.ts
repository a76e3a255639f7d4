import type { BaseMixin, ChannelNameWithParams, Consumer, Subscription } from "@rails/actioncable"

const LINGER = 5000 // milliseconds that the socket stays open when nothing is followed any more

let consumer: Promise<Consumer> | undefined
let subscriptions = 0
let closing = 0

/** Subscribes over the page's one socket; the client for it is loaded by the first to do so. */
export async function subscribe(
  params: ChannelNameWithParams,
  callbacks: BaseMixin,
): Promise<Subscription> {
  clearTimeout(closing)
  subscriptions += 1
  try {
    consumer ??= load()
    return (await consumer).subscriptions.create(params, callbacks)
  } catch (error) {
    // Nothing follows, and whoever comes next loads the client again.
    subscriptions -= 1
    consumer = undefined
    throw error
  }
}

async function load(): Promise<Consumer> {
  const { createConsumer } = await import("@rails/actioncable")
  const consumer = createConsumer("/cable")
  // It gives a socket that has fallen silent up without a word to those who listen.
  const { connection, subscriptions } = consumer
  const reopen = connection.reopen
  connection.reopen = () => {
    subscriptions.notifyAll("disconnected", { willAttemptReconnect: true })
    reopen.call(connection)
  }
  return consumer
}

/** Ends a subscription; without any the socket closes soon, so that idle pages hold none. */
export function unsubscribe(subscription: Subscription): void {
  subscription.unsubscribe()
  subscriptions -= 1
  clearTimeout(closing)
  closing = window.setTimeout(close, LINGER)
}

async function close(): Promise<void> {
  if (subscriptions === 0) (await consumer)?.disconnect()
}
