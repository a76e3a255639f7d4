/* The functions that tests call on the real client, in Node and in Chromium. Load ActionCable first. */
globalThis.harness = (() => {
  const { createConsumer } = globalThis.ActionCable
  const subscriptions = {}
  const log = []
  let consumer

  return {
    log,
    open(url) {
      consumer = createConsumer(url)
    },
    subscribe(key, params) {
      const note = (event, value) => log.push([key, event, value ?? null])
      subscriptions[key] = consumer.subscriptions.create(params, {
        connected: (state) => note("connected", state),
        disconnected: (state) => note("disconnected", state),
        rejected: () => note("rejected"),
        received: (message) => note("received", message),
      })
    },
    perform(key, action, data) {
      subscriptions[key].perform(action, data)
    },
    send(key, data) {
      subscriptions[key].send(data)
    },
    unsubscribe(key) {
      subscriptions[key].unsubscribe()
    },
    protocol() {
      return consumer.connection.getProtocol()
    },
    isWatching() {
      return consumer.connection.monitor.isRunning()
    },
    attempts() {
      return consumer.connection.monitor.reconnectAttempts
    },
    close() {
      consumer?.disconnect()
    },
  }
})()
