/** The kit: Turbo with its corrections, and the element that follows a stream. */
import * as Turbo from "@hotwired/turbo"
import "./turbo_cable_stream_source_element"
import { announcePage } from "./announcer"
import { confirmInDialog, dismissQuestion } from "./confirmation"
import { focusErrors } from "./error_focus"
import { focusFrame, noteFocusedFrame, noteSubmittedFrame } from "./frame_focus"
import { morphFrame } from "./frame_morphing"
import { handleMissingFrame, noteSubmission } from "./missing_frame"
import { keepAttributes, keepUnsaved } from "./morphing"
import { forgetProgressBar } from "./progress_bar"
import { refresh, refreshFromStream } from "./refresh"

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
