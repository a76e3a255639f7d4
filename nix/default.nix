# Everything the flake provides for one system.
{
  lib,
  pkgs,
  pyproject-nix,
  uv2nix,
  revision,
}:
let
  nodejs = pkgs.nodejs_24;
  python = import ./python.nix {
    inherit
      lib
      pkgs
      pyproject-nix
      uv2nix
      ;
  };
  inherit (python) interpreter environment developmentEnvironment;
  services = import ./services.nix { inherit pkgs; };
  frontend = pkgs.callPackage ./frontend.nix { inherit nodejs; };
  app = pkgs.callPackage ./app.nix {
    inherit environment;
    frontend = frontend.dist;
  };
  sbom = import ./sbom.nix {
    inherit
      lib
      pkgs
      app
      interpreter
      ;
  };
  images = import ./image.nix {
    inherit
      lib
      pkgs
      app
      environment
      revision
      ;
  };

  inCheckout = ''
    if [ ! -e process-compose.yaml ]; then
      echo "error: there is no process-compose.yaml here: run this in the root of a checkout." >&2
      exit 1
    fi
  '';
  stack = pkgs.writeShellApplication {
    name = "stack";
    runtimeInputs = services ++ [
      developmentEnvironment
      nodejs
      pkgs.process-compose
      pkgs.coreutils
    ];
    text = ''
      ${inCheckout}
      # shellcheck source=/dev/null
      . ${./services/environment.sh}
      exec process-compose "$@"
    '';
  };
  update = pkgs.writeShellApplication {
    name = "update";
    runtimeInputs = [ pkgs.jq ];
    text = ''
      ${inCheckout}
      before=$(jq -r .hash nix/npm-tarballs.json)
      ${lib.getExe frontend.writeRecord}
      after=$(jq -r .hash nix/npm-tarballs.json)
      if [ "$before" = "$after" ]; then
        echo "nix/npm-tarballs.json is up to date."
      else
        echo "Updated the hash in nix/npm-tarballs.json from $before to $after. Commit it with the lock file."
      fi
    '';
  };
in
{
  packages = {
    default = app;
    frontend = frontend.dist;
    inherit app environment sbom;
  }
  // images;
  shell = import ./shell.nix {
    inherit
      pkgs
      services
      nodejs
      developmentEnvironment
      interpreter
      ;
  };
  apps = {
    default = {
      type = "app";
      program = lib.getExe stack;
      meta.description = "Run the whole stack with process-compose";
    };
    update = {
      type = "app";
      program = lib.getExe update;
      meta.description = "Update nix/npm-tarballs.json after a change to frontend/package-lock.json";
    };
  };
  checks =
    import ./checks.nix {
      inherit
        lib
        pkgs
        services
        developmentEnvironment
        interpreter
        frontend
        images
        ;
    }
    // {
      inherit app sbom;
    };
  formatter = pkgs.nixfmt-tree;
}
