import { beforeEach, expect, test } from "vitest"
import { find, mount } from "../dovetail/testing"
import CharacterCountController from "./character_count_controller"

beforeEach(async () => {
  await mount(
    `<div data-controller="character-count" data-action="input->character-count#update">
       <textarea maxlength="10">seven..</textarea>
       <p data-character-count-target="output"></p>
     </div>`,
    { "character-count": CharacterCountController },
  )
})

test("shows the remaining characters on connect", () => {
  expect(find("p").textContent).toBe("3 characters left")
})

test("updates the count on input", () => {
  const area = find<HTMLTextAreaElement>("textarea")
  area.value = "nine....."
  area.dispatchEvent(new Event("input", { bubbles: true }))

  expect(find("p").textContent).toBe("1 character left")
})
