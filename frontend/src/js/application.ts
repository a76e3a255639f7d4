import "./dovetail"
import "./controllers"

// allauth's pages are loaded without Turbo, so it is enough to look once.
if (document.querySelector("[data-allauth-onload]")) import("./passkeys")
