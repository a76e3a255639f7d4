/** Registers the controller of file inputs, on the pages that have some. */
import { uploadController } from "./upload_controller"

const { application, Controller } = window.Stimulus
application.register("upload", uploadController(Controller))
