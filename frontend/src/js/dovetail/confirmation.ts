/** Asks for confirmation in the page's own dialog (components/confirmation.html). */
export async function confirmInDialog(message: string): Promise<boolean> {
  const dialog = find()
  const text = dialog?.querySelector("[data-message]")
  if (!dialog || !text) throw new Error("Include components/confirmation.html in the page")
  if (dialog.open) await dismissConfirmation()
  text.textContent = message
  dialog.returnValue = ""
  dialog.showModal()
  await closed(dialog)
  return dialog.returnValue === "yes"
}

/**
 * Cancels an open confirmation when the user leaves the page. Otherwise the dialog would be open on
 * the next page, but no longer modal.
 */
export async function dismissConfirmation(): Promise<void> {
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
