# Converts store paths, one per line, to a CycloneDX document.
{
  bomFormat: "CycloneDX",
  specVersion: "1.5",
  version: 1,
  metadata: { component: { type: "container", name: "dovetail", "bom-ref": "dovetail" } },
  components: [
    inputs
    | capture("^/nix/store/(?<hash>[^-]+)-(?<label>.+)$")
    | (.label | capture("^(?<name>.+?)-(?<version>[0-9][^-]*)(-.*)?$") // { name: . }) as $package
    | {
        type: "library",
        "bom-ref": "\(.hash)-\(.label)",
        name: $package.name,
        purl: "pkg:nix/\($package.name | @uri)\(if $package.version then "@\($package.version | @uri)" else "" end)"
      }
      + if $package.version then { version: $package.version } else {} end
  ]
}
