/** Shows why a passkey could not be used. allauth's script only writes it to the console. */
import { showError } from "./dovetail/error_toast"

type AllauthError = CustomEvent<{ tags: string[]; exception: Error }>

const ADDRESS = /^[\d.]+$|^\[/
const LOOPBACK = /^127\.|^\[::1\]$/

const REASONS: Record<string, string> = {
  InvalidStateError: "This key is already registered. Use another one.",
  NotAllowedError:
    "No passkey was used: you closed the prompt, it timed out, or this device has none. Try again, " +
    "or choose another way.",
  NotSupportedError: "This device can’t do this. Try another device or key.",
  ConstraintError:
    "This device can’t verify that it’s you. Set up a screen lock, or use another key.",
}

function report(event: Event): void {
  const { tags, exception } = (event as AllauthError).detail
  if (!tags.includes("webauthn")) return
  event.preventDefault()
  if (LOOPBACK.test(location.hostname)) showError(needsName(), { link: atLocalhost() })
  else if (ADDRESS.test(location.hostname)) showError(needsName())
  else showError(reasonFor(exception))
}

function needsName(): string {
  return `Browsers don’t support passkeys at ${location.hostname}, only at a name.`
}

function atLocalhost(): { href: string; text: string } {
  const url = new URL(location.href)
  url.hostname = "localhost"
  return { href: url.href, text: `Go to ${url.host}` }
}

function reasonFor({ name }: Error): string {
  if (navigator.credentials === undefined || name === "SecurityError")
    return "Your browser doesn’t support passkeys at this address. Use HTTPS, or choose another way."
  return (
    REASONS[name] ??
    "The passkey couldn’t be used. Check your network, then try again or choose another way."
  )
}

document.addEventListener("allauth.error", report)
