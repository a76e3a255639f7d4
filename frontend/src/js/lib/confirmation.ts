/** Asks in the page's own dialog (components/confirmation.html) instead of the browser's. */
export function confirmInDialog(message: string): Promise<boolean> {
  const dialog = document.querySelector<HTMLDialogElement>("#confirmation")
  const text = dialog?.querySelector("[data-message]")
  if (!dialog || !text) throw new Error("The page includes no components/confirmation.html")
  text.textContent = message
  dialog.returnValue = ""
  dialog.showModal()
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true })
  })
}
