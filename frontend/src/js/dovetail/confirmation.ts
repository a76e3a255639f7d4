/** Asks in the page's own dialog (components/confirmation.html) instead of the browser's. */
export async function confirmInDialog(message: string): Promise<boolean> {
  const dialog = find()
  const text = dialog?.querySelector("[data-message]")
  if (!dialog || !text) throw new Error("The page includes no components/confirmation.html")
  if (dialog.open) await dismissQuestion()
  text.textContent = message
  dialog.returnValue = ""
  dialog.showModal()
  await closed(dialog)
  return dialog.returnValue === "yes"
}

/**
 * Answers the open question, if there is one, with no: whoever leaves the page does not mean yes.
 * On the next page the dialog would stand open, but no longer above it and out of reach.
 */
export async function dismissQuestion(): Promise<void> {
  const dialog = find()
  if (!dialog?.open) return
  const done = closed(dialog)
  dialog.close()
  await done
}

function find(): HTMLDialogElement | null {
  return document.querySelector<HTMLDialogElement>("#confirmation")
}

function closed(dialog: HTMLDialogElement): Promise<void> {
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(), { once: true })
  })
}
