import { Application, type ControllerConstructor } from "@hotwired/stimulus"
import { onTestFinished } from "vitest"

/** Renders a page and runs the controllers on it until the test ends. */
export async function mount(
  page: string,
  controllers: Record<string, ControllerConstructor>,
): Promise<void> {
  document.body.innerHTML = page
  const application = new Application()
  for (const [name, controller] of Object.entries(controllers)) {
    application.register(name, controller)
  }
  await application.start()
  onTestFinished(() => {
    application.stop()
    document.body.innerHTML = ""
  })
}

/** Returns the first element that matches the selector, or fails the test. */
export function find<E extends HTMLElement = HTMLElement>(selector: string): E {
  const element = document.querySelector<E>(selector)
  if (!element) throw new Error(`No element matches ${selector}`)
  return element
}
