import { Application, type ControllerConstructor } from "@hotwired/stimulus"
import { onTestFinished } from "vitest"

/** Puts the page into the document and starts the controllers on it, until the test is over. */
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

/** The first element that the selector finds; the test fails where there is none. */
export function find<E extends HTMLElement = HTMLElement>(selector: string): E {
  const element = document.querySelector<E>(selector)
  if (!element) throw new Error(`No element matches ${selector}`)
  return element
}
