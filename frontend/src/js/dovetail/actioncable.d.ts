import "@rails/actioncable"

// What the client has and its types lack.
declare module "@rails/actioncable" {
  interface Consumer {
    readonly connection: { reopen(): void }
  }
  interface Subscriptions {
    notifyAll(callback: "disconnected", argument: { willAttemptReconnect: boolean }): void
  }
}
