import { expect, test } from "vitest"
import { find } from "../dovetail/testing"

test("every controller is registered under the name of its file", async () => {
  document.body.innerHTML = `
    <p data-controller="element-removal"><button data-action="element-removal#remove"></button></p>`

  await import("./index")
  await new Promise((resolve) => setTimeout(resolve))
  find("button").click()

  expect(document.querySelector("p")).toBeNull()
})
