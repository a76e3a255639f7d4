// npm-tarballs.mjs WANTED.json OUT: fetch packages by name and version with npm itself, since
// package-lock.json records no addresses, and check each against the integrity that it does record.
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const AT_ONCE = 40 // packages an npm process: fewer starts, and no line too long for the system

const [wantedFile, out] = process.argv.slice(2)
const wanted = new Map(JSON.parse(readFileSync(wantedFile, "utf8")).map((one) => [one.spec, one]))
const specs = [...wanted.keys()].sort()
const work = mkdtempSync(join(tmpdir(), "npm-tarballs-"))
mkdirSync(out, { recursive: true })

for (let first = 0; first < specs.length; first += AT_ONCE) {
  const output = execFileSync(
    "npm",
    ["pack", "--json", "--ignore-scripts", "--pack-destination", work].concat(
      specs.slice(first, first + AT_ONCE),
    ),
    { maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"] },
  )
  for (const packed of Object.values(JSON.parse(output))) {
    const spec = `${packed.name}@${packed.version}`
    const { file, integrity } = wanted.get(spec)
    const tarball = join(work, packed.filename.replace(/^@/, "").replace("/", "-"))
    const [algorithm, digest] = integrity.split(" ")[0].split(/-(.*)/)
    if (createHash(algorithm).update(readFileSync(tarball)).digest("base64") !== digest) {
      throw new Error(`${spec} is not what frontend/package-lock.json says`)
    }
    copyFileSync(tarball, join(out, file))
    wanted.delete(spec)
  }
}
rmSync(work, { recursive: true })
if (wanted.size) throw new Error(`not fetched: ${[...wanted.keys()].join(", ")}`)
