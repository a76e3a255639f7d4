/** The kit's front end: Turbo with fixes, and the element that follows a stream. */
import * as Turbo from "@hotwired/turbo"
import "./turbo_cable_stream_source_element"
import { announcePage } from "./announcer"
import { reportRefusal } from "./browser_errors"
import { confirmInDialog, dismissConfirmation } from "./confirmation"
import { focusErrors } from "./error_focus"
import { hideError } from "./error_toast"
import { correctSuccess, ignoreReported, keepFailedForm, keepUnsentForm } from "./failed_forms"
import { focusFrame, rememberFocusedFrame, rememberSubmittedFrame } from "./frame_focus"
import { morphFrame, restartFirstLoads } from "./frame_morphing"
import { handleMissingFrame, rememberSubmission } from "./missing_frame"
import { keepAttributes, keepUnsaved } from "./morphing"
import { cancelProgressBar } from "./progress_bar"
import { refresh, refreshFromStream } from "./refresh"
import { userOf } from "./sign_in"
import { keepFromStream } from "./stream_keeping"

Turbo.config.forms.confirm = confirmInDialog
Turbo.config.forms.submitter = "aria-disabled" // a disabled button would lose focus
Turbo.StreamActions.refresh = refreshFromStream

addEventListener("turbo:visit", dismissConfirmation)
addEventListener("turbo:visit", cancelProgressBar)
addEventListener("turbo:render", announcePage)

addEventListener("turbo:submit-start", cancelProgressBar)
addEventListener("turbo:before-fetch-response", rememberSubmission)
addEventListener("turbo:submit-end", focusErrors)
addEventListener("turbo:submit-end", rememberSubmittedFrame)

addEventListener("turbo:submit-start", hideError)
addEventListener("turbo:before-fetch-response", keepFailedForm)
addEventListener("turbo:fetch-request-error", keepUnsentForm)
addEventListener("turbo:submit-end", correctSuccess, { capture: true })
addEventListener("unhandledrejection", ignoreReported)

addEventListener("unhandledrejection", reportRefusal)

addEventListener("turbo:frame-missing", handleMissingFrame)
addEventListener("turbo:before-frame-render", morphFrame)
addEventListener("turbo:before-frame-render", rememberFocusedFrame)
addEventListener("turbo:frame-render", focusFrame)
addEventListener("turbo:frame-load", restartFirstLoads)
addEventListener("turbo:morph", restartFirstLoads)

addEventListener("turbo:before-morph-attribute", keepAttributes)
addEventListener("turbo:before-morph-element", keepUnsaved)
addEventListener("turbo:before-stream-render", keepFromStream)

// Only signed-in users have drafts. Without this chunk, forms stay on their page instead.
if (userOf(document))
  import("./drafts").then(
    ({ startDrafts }) => startDrafts(),
    () => undefined,
  )

// Broadcasts are delivered at most once, so refresh after a gap, and after losing access.
for (const event of ["cable:reconnected", "cable:lost"]) {
  document.addEventListener(event, () => refresh())
}
