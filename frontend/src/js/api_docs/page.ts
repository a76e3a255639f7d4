/**
 * Loads a library that shows the API's schema, and has it shown in the page's element for it.
 *
 * Swagger UI and ReDoc come as scripts of their own with the Python packages. Their pages load the
 * entry points beside this file, which no other page needs.
 */
export async function show(render: (element: HTMLElement) => void): Promise<void> {
  const element = document.querySelector<HTMLElement>("#api-docs")
  if (!element) return
  try {
    await load(element.dataset.script ?? "")
    render(element)
  } catch (error) {
    element.textContent = "The documentation couldn’t be loaded. Reload the page to try again."
    throw error
  }
}

function load(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script")
    script.src = url
    script.addEventListener("load", () => resolve())
    script.addEventListener("error", () => reject(new Error(`${url} was not loaded`)))
    document.head.append(script)
  })
}

/** Calls a function now, and whenever the page's theme may have changed. */
export function followTheme(follow: (isDark: boolean) => void): void {
  const root = document.documentElement
  const system = matchMedia("(prefers-color-scheme: dark)")
  let shown: boolean | undefined
  const update = () => {
    const { theme } = root.dataset
    const isDark = theme ? theme === "dark" : system.matches
    if (isDark !== shown) follow(isDark)
    shown = isDark
  }
  system.addEventListener("change", update)
  new MutationObserver(update).observe(root, { attributeFilter: ["data-theme"] })
  update()
}
