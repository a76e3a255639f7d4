import { Controller } from "@hotwired/stimulus"

const MOTION = "(prefers-reduced-motion: no-preference)"

/** Lets its items come up one after the other. GSAP is loaded by pages that have one of these. */
export default class extends Controller<HTMLElement> {
  static targets = ["item"]

  declare readonly itemTargets: HTMLElement[]
  #stop: (() => void) | undefined
  #connected = false

  async connect(): Promise<void> {
    this.#connected = true
    // A cached page has been seen before.
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

  /** Also an action for turbo:before-cache: the page is kept as it is without the animation. */
  disconnect(): void {
    this.#connected = false
    this.#stop?.()
    this.#stop = undefined
  }
}
