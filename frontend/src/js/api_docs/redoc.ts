import { followTheme, show } from "./page"

declare global {
  interface Window {
    Redoc?: {
      init(
        schema: string,
        options: Record<string, unknown>,
        element: Element,
        done: () => void,
      ): unknown
      destroy(element: Element): unknown
    }
  }
}

/**
 * Gives the page's nonce to the style elements that scripts create.
 *
 * ReDoc's styled-components fill one, and its bundle cannot be told the nonce: webpack has replaced
 * `__webpack_nonce__` by a variable of its own.
 */
export function giveStylesTheNonce(): void {
  const nonce = document.querySelector<HTMLMetaElement>("meta[name=csp-nonce]")?.nonce
  const create = document.createElement.bind(document)
  document.createElement = (name: string, options?: ElementCreationOptions) => {
    const element = create(name, options)
    if (nonce && element instanceof HTMLStyleElement) element.nonce = nonce
    if (element instanceof HTMLImageElement) keepHome(element)
    return element
  }
}

/** Renders the reference, and again in other colors when the page's theme changes. */
export function render(element: HTMLElement): void {
  let place: HTMLElement | undefined
  followTheme(() => {
    // The page stays as long as it is, so that the reader stays near where they were.
    const top = scrollY
    element.style.minHeight = `${element.offsetHeight}px`
    if (place) window.Redoc?.destroy(place)
    place = document.createElement("div")
    element.replaceChildren(place)
    window.Redoc?.init(element.dataset.schema ?? "", options(), place, () => {
      scrollTo(0, top)
      element.style.minHeight = ""
    })
  })
}

/** Ignores sources of an image on other hosts: ReDoc would show its logo from one. */
function keepHome(image: HTMLImageElement): void {
  const set = image.setAttribute.bind(image)
  image.setAttribute = (name: string, value: string) => {
    const isForeign = /^(https?:)?\/\//.test(value) && !value.startsWith(location.origin)
    if (name !== "src" || !isForeign) set(name, value)
  }
  // React sets the property, too.
  Object.defineProperty(image, "src", {
    get: () => image.getAttribute("src") ?? "",
    set: (value: string) => image.setAttribute("src", value),
  })
}

function options(): Record<string, unknown> {
  return {
    disableSearch: true, // it runs in a worker from a blob, which the policy forbids
    hideDownloadButton: true,
    hideLoading: true,
    expandResponses: "200,201",
    scrollYOffset: 64, // the height of the site's header
    theme: theme(),
  }
}

// Behind white text in both themes, as on the page of Swagger UI.
const BADGES = {
  get: "#1c5d85",
  post: "#1a613a",
  put: "#845315",
  patch: "#845315",
  delete: "#a92321",
}

/** Returns ReDoc's theme in the colors of the page, which has to be made of them: it calculates. */
function theme(): Record<string, unknown> {
  const color = colors()
  const text = color("base-content")
  const [page, raised, border] = [color("base-100"), color("base-200"), color("base-300")]
  const [primary, info, success] = [color("primary"), color("info"), color("success")]
  const [warning, error] = [color("warning"), color("error")]
  const font = getComputedStyle(document.body).fontFamily
  // Tabs are on the dark panel beside the text.
  const tab = (main: string, bright: string) => ({
    color: main,
    backgroundColor: raised,
    tabTextColor: bright,
  })
  return {
    colors: {
      primary: { main: primary },
      success: { main: success },
      warning: { main: warning, dark: warning },
      error: { main: error },
      gray: { 50: raised, 100: raised },
      text: { primary: text, secondary: text },
      border: { dark: border, light: border },
      responses: {
        success: tab(success, "#7fdfa8"),
        error: tab(error, "#ff9d94"),
        redirect: tab(warning, "#f3c274"),
        info: tab(info, "#8fcbf2"),
      },
      http: BADGES,
    },
    schema: { linesColor: primary, nestedBackground: raised },
    typography: {
      fontFamily: font,
      headings: { fontFamily: font, fontWeight: "600", lineHeight: "1.3" },
      code: { fontFamily: "var(--font-mono, monospace)", color: text, backgroundColor: raised },
      links: { color: primary, hover: primary },
    },
    sidebar: { backgroundColor: page, textColor: text, activeTextColor: primary },
    rightPanel: {
      backgroundColor: "#1f2a26",
      textColor: "#eef1ee",
      servers: {
        overlay: { backgroundColor: page, textColor: text },
        url: { backgroundColor: raised },
      },
    },
    codeBlock: { backgroundColor: "#121816" },
    fab: { backgroundColor: raised, color: primary },
  }
}

/** Returns a function that gives the hexadecimal form of a color of the page's theme. */
function colors(): (name: string) => string {
  const styles = getComputedStyle(document.documentElement)
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true })
  return (name) => {
    if (!canvas) return "#808080"
    canvas.fillStyle = styles.getPropertyValue(`--color-${name}`)
    canvas.fillRect(0, 0, 1, 1)
    const [red = 0, green = 0, blue = 0] = canvas.getImageData(0, 0, 1, 1).data
    return `#${((red << 16) | (green << 8) | blue).toString(16).padStart(6, "0")}`
  }
}

giveStylesTheNonce()
show(render)
