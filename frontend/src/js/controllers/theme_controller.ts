import { Controller } from "@hotwired/stimulus"

const YEAR = 365 * 24 * 60 * 60 // seconds

/**
 * Sets the theme: "light", "dark", or "" for the system's.
 * The server reads the cookie and renders <html data-theme>, so pages never flash in wrong colors.
 */
export default class extends Controller<HTMLElement> {
  static targets = ["choice"]
  static values = { cookie: { type: String, default: "theme" } }

  declare readonly choiceTargets: HTMLButtonElement[]
  declare readonly cookieValue: string

  connect(): void {
    this.#press(document.documentElement.dataset.theme ?? "")
  }

  choose({ params: { name } }: { params: { name: string } }): void {
    const root = document.documentElement
    if (name === "") {
      delete root.dataset.theme
    } else {
      root.dataset.theme = name
    }
    this.#remember(name)
    this.#press(name)
  }

  #remember(name: string): void {
    const secure = location.protocol === "https:" ? "; Secure" : ""
    const age = name === "" ? 0 : YEAR
    // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is not in every browser yet
    document.cookie = `${this.cookieValue}=${name}; Path=/; Max-Age=${age}; SameSite=Lax${secure}`
  }

  #press(name: string): void {
    for (const choice of this.choiceTargets) {
      choice.setAttribute("aria-pressed", String(choice.dataset.themeNameParam === name))
    }
  }
}
