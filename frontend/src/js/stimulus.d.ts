import type { Application, Controller } from "@hotwired/stimulus"

declare global {
  interface Window {
    /** For controllers that only some pages load; controllers/index.ts sets it. */
    Stimulus: { application: Application; Controller: typeof Controller }
  }
}
