import * as Turbo from "@hotwired/turbo"
import "./controllers"
import "./elements/turbo_cable_stream_source_element"
import { announcePage } from "./lib/announcer"
import { confirmInDialog, dismissQuestion } from "./lib/confirmation"
import { focusErrors } from "./lib/error_focus"
import { focusFrame, noteFocusedFrame, noteSubmittedFrame } from "./lib/frame_focus"
import { morphFrame } from "./lib/frame_morphing"
import { handleMissingFrame, noteSubmission } from "./lib/missing_frame"
import { keepAttributes, keepUnsaved } from "./lib/morphing"
import { forgetProgressBar } from "./lib/progress_bar"
import { refresh, refreshFromStream } from "./lib/refresh"

Turbo.config.forms.confirm = confirmInDialog
Turbo.config.forms.submitter = "aria-disabled" // a button that is disabled would lose the focus
Turbo.StreamActions.refresh = refreshFromStream

addEventListener("turbo:visit", dismissQuestion)
addEventListener("turbo:visit", forgetProgressBar)
addEventListener("turbo:render", announcePage)

addEventListener("turbo:submit-start", forgetProgressBar)
addEventListener("turbo:before-fetch-response", noteSubmission)
addEventListener("turbo:submit-end", focusErrors)
addEventListener("turbo:submit-end", noteSubmittedFrame)

addEventListener("turbo:frame-missing", handleMissingFrame)
addEventListener("turbo:before-frame-render", morphFrame)
addEventListener("turbo:before-frame-render", noteFocusedFrame)
addEventListener("turbo:frame-render", focusFrame)

addEventListener("turbo:before-morph-attribute", keepAttributes)
addEventListener("turbo:before-morph-element", keepUnsaved)

// Broadcasts are delivered at most once: after a gap, or without a right, the page looks anew.
for (const event of ["cable:reconnected", "cable:lost"]) {
  addEventListener(event, () => refresh())
}
