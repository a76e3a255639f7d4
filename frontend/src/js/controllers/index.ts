import { Application, type ControllerConstructor } from "@hotwired/stimulus"

const controllers = import.meta.glob<ControllerConstructor>("./*_controller.ts", {
  eager: true,
  import: "default",
})

const application = Application.start()

for (const [path, controller] of Object.entries(controllers)) {
  application.register(identifier(path), controller)
}

/** The name in data-controller: "./auto_submit_controller.ts" is "auto-submit". */
function identifier(path: string): string {
  return path.replace(/^\.\/|_controller\.ts$/g, "").replaceAll("_", "-")
}
