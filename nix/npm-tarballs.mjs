// npm-tarballs.mjs WANTED.json OUT: fetch packages by name and version with npm, because
// package-lock.json has no URLs, and check each one against its integrity hash in the lock.
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const AT_ONCE = 40 // packages per npm process: few processes, and a short enough command line

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
      throw new Error(`${spec} does not match its integrity hash in frontend/package-lock.json`)
    }
    copyFileSync(tarball, join(out, file))
    wanted.delete(spec)
  }
}
rmSync(work, { recursive: true })
if (wanted.size) throw new Error(`Packages not fetched: ${[...wanted.keys()].join(", ")}`)
