import "@rails/actioncable"

// Members that the client's types lack.
declare module "@rails/actioncable" {
  interface Consumer {
    readonly connection: { reopen(): void }
  }
  interface Subscriptions {
    notifyAll(callback: "disconnected", argument: { willAttemptReconnect: boolean }): void
  }
}
