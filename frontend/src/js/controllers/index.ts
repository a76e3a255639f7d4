import { Application, Controller, type ControllerConstructor } from "@hotwired/stimulus"

const controllers = import.meta.glob<ControllerConstructor>("./*_controller.ts", {
  eager: true,
  import: "default",
})

const application = Application.start()
// For the controllers that only some pages load, such as uploads/.
window.Stimulus = { application, Controller }

for (const [path, controller] of Object.entries(controllers)) {
  application.register(identifier(path), controller)
}

/** Returns the name for data-controller: "auto-submit" for "./auto_submit_controller.ts". */
function identifier(path: string): string {
  return path.replace(/^\.\/|_controller\.ts$/g, "").replaceAll("_", "-")
}
