{
  description = "Dovetail: a Django starter kit with one pinned environment, stack and image";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    pyproject-nix = {
      url = "github:pyproject-nix/pyproject.nix";
      inputs.nixpkgs.follows = "nixpkgs";
    };
    uv2nix = {
      url = "github:pyproject-nix/uv2nix";
      inputs.nixpkgs.follows = "nixpkgs";
      inputs.pyproject-nix.follows = "pyproject-nix";
    };
  };

  outputs =
    {
      self,
      nixpkgs,
      pyproject-nix,
      uv2nix,
    }:
    let
      inherit (nixpkgs) lib;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "aarch64-darwin"
      ];
      kits = lib.genAttrs systems (
        system:
        import ./nix {
          inherit lib pyproject-nix uv2nix;
          pkgs = nixpkgs.legacyPackages.${system};
          revision = self.shortRev or self.dirtyShortRev or "dirty";
        }
      );
      each = pick: lib.mapAttrs (_: pick) kits;
    in
    {
      packages = each (kit: kit.packages);
      devShells = each (kit: { default = kit.shell; });
      apps = each (kit: kit.apps);
      checks = each (kit: kit.checks);
      formatter = each (kit: kit.formatter);
    };
}
