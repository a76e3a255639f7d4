import "@hotwired/turbo"
import "./controllers"
import { focusErrors } from "./lib/error_focus"

addEventListener("turbo:submit-end", focusErrors)
