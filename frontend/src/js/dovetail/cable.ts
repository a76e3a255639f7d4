import type { BaseMixin, ChannelNameWithParams, Consumer, Subscription } from "@rails/actioncable"

const IDLE_TIMEOUT = 5000 // milliseconds until a socket without subscriptions is closed

let consumer: Promise<Consumer> | undefined
let subscriptions = 0
let closing = 0

/** Subscribes over the page's one socket. The first call loads the client. */
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
    // Let the next call load the client again.
    subscriptions -= 1
    consumer = undefined
    throw error
  }
}

async function load(): Promise<Consumer> {
  const { createConsumer } = await import("@rails/actioncable")
  const consumer = createConsumer("/cable")
  // The client gives up on an unresponsive socket without notifying its subscriptions.
  const { connection, subscriptions } = consumer
  const reopen = connection.reopen
  connection.reopen = () => {
    subscriptions.notifyAll("disconnected", { willAttemptReconnect: true })
    reopen.call(connection)
  }
  return consumer
}

/** Ends a subscription. After the last one, the socket closes soon, so that idle pages hold none. */
export function unsubscribe(subscription: Subscription): void {
  subscription.unsubscribe()
  subscriptions -= 1
  clearTimeout(closing)
  closing = window.setTimeout(close, IDLE_TIMEOUT)
}

async function close(): Promise<void> {
  if (subscriptions === 0) (await consumer)?.disconnect()
}
