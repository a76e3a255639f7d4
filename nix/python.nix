# Python, and two environments out of uv.lock: what runs in production, and what development adds.
{
  lib,
  pkgs,
  pyproject-nix,
  uv2nix,
}:
let
  # nixpkgs' Python names a shell in the store, for subprocess(shell=True): with it, every image has
  # one. This is the same Python without it, and without what only Python's own development needs.
  # (macOS refuses a program that was changed after its signing, and has no image: there, as it is.)
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
          inherit (original) stdenv; # the wheels that fit are chosen by its C library
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
        # Programs too: the new path is as long as the old one, as the name is the same.
        for file in $(grep -rlE "$original|/nix/store/[0-9a-z]{32}-bash-" $out); do
          LC_ALL=C sed -i -E "s|$original|$out|g; s|/nix/store/[0-9a-z]{32}(-bash-)|/nix/store/$(printf 'e%.0s' {1..32})\1|g" $file
        done
        for link in $(find $out -type l -lname "$original/*"); do
          target=$(readlink $link)
          ln -sfn $out''${target#"$original"} $link
        done
        # Anew, since the sources have changed; by hash, since all files of the store have one time.
        $out/bin/python3 -m compileall -q -f --invalidation-mode unchecked-hash $lib
      '';

  workspace = uv2nix.lib.workspace.loadWorkspace { workspaceRoot = ../.; };
  set = (pkgs.callPackage pyproject-nix.build.packages { python = interpreter; }).overrideScope (
    # Every package of the lock has wheels, so nothing is compiled and no build system is needed.
    workspace.mkPyprojectOverlay { sourcePreference = "wheel"; }
  );
in
{
  inherit interpreter;
  environment = set.mkVirtualEnv "dovetail-environment" workspace.deps.default;
  developmentEnvironment = set.mkVirtualEnv "dovetail-development-environment" workspace.deps.all;
}
