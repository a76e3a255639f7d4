import { Controller } from "@hotwired/stimulus"

const MOTION = "(prefers-reduced-motion: no-preference)"

/** Animates its items in, one after another. Only pages that use it load GSAP. */
export default class extends Controller<HTMLElement> {
  static targets = ["item"]

  declare readonly itemTargets: HTMLElement[]
  #stop: (() => void) | undefined
  #connected = false

  async connect(): Promise<void> {
    this.#connected = true
    // The user has already seen a cached page.
    if (!matchMedia(MOTION).matches || document.documentElement.hasAttribute("data-turbo-preview"))
      return
    const { gsap } = await import("gsap")
    if (!this.#connected) return
    const media = gsap.matchMedia(this.element)
    media.add(MOTION, () => {
      gsap.from(this.itemTargets, { y: 16, opacity: 0, duration: 0.5, stagger: 0.08 })
    })
    this.#stop = () => media.revert()
  }

  /** Also an action for turbo:before-cache, so that the page is cached without the animation. */
  disconnect(): void {
    this.#connected = false
    this.#stop?.()
    this.#stop = undefined
  }
}
