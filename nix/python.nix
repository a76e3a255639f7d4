# Python, and two environments from uv.lock: production, and development.
{
  lib,
  pkgs,
  pyproject-nix,
  uv2nix,
}:
let
  # nixpkgs' Python refers to a shell in the store for subprocess(shell=True), which would put that
  # shell into the image. This is the same Python without that reference, its test suite and its
  # build files. On macOS it is unchanged: there is no image, and modified programs fail signing.
  interpreter = if pkgs.stdenv.hostPlatform.isLinux then slim else pkgs.python313;
  slim =
    let
      original = pkgs.python313;
    in
    pkgs.runCommand original.name
      {
        inherit original;
        inherit (original) pname version;
        passthru = original.passthru // {
          inherit (original) stdenv; # its C library determines which wheels fit
          interpreter = "${slim}/bin/${original.executable}";
          pythonOnBuildForHost = slim;
        };
        meta.mainProgram = "python3";
        disallowedReferences = [ original ];
      }
      ''
        cp -r --preserve=timestamps $original $out
        chmod -R u+w $out
        lib=$(echo $out/lib/python3.*)
        rm -rf $lib/{test,idlelib,ensurepip,tkinter,turtledemo} $lib/config-* $out/share $out/bin/{*-config,idle*}
        sed -i "s|'/nix/store/[^']*/bin/sh'|'/bin/sh'|" $lib/subprocess.py
        # This also works in binaries: the new path has the same name, and so the same length.
        for file in $(grep -rlE "$original|/nix/store/[0-9a-z]{32}-bash-" $out); do
          LC_ALL=C sed -i -E "s|$original|$out|g; s|/nix/store/[0-9a-z]{32}(-bash-)|/nix/store/$(printf 'e%.0s' {1..32})\1|g" $file
        done
        for link in $(find $out -type l -lname "$original/*"); do
          target=$(readlink $link)
          ln -sfn $out''${target#"$original"} $link
        done
        # Recompile, because the sources have changed; hash-based, because all files in the store have
        # the same timestamp.
        $out/bin/python3 -m compileall -q -f --invalidation-mode unchecked-hash $lib
      '';

  workspace = uv2nix.lib.workspace.loadWorkspace { workspaceRoot = ../.; };
  set = (pkgs.callPackage pyproject-nix.build.packages { python = interpreter; }).overrideScope (
    # Every locked package has wheels, so nothing is compiled.
    workspace.mkPyprojectOverlay { sourcePreference = "wheel"; }
  );
in
{
  inherit interpreter;
  environment = set.mkVirtualEnv "environment" workspace.deps.optionals; # the stack has memcached and S3
  developmentEnvironment = set.mkVirtualEnv "development-environment" workspace.deps.all;
}
