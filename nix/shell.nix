# `nix develop`: everything on PATH; entering it downloads and installs nothing.
{
  pkgs,
  services,
  nodejs,
  developmentEnvironment,
  interpreter,
}:
pkgs.mkShellNoCC {
  packages = services ++ [
    developmentEnvironment
    pkgs.uv
    nodejs
    pkgs.process-compose
    pkgs.shellcheck
    pkgs.nixfmt-tree
    pkgs.git
  ];
  # Nix builds the environment from uv.lock: uv may lock and run, but never install.
  UV_PROJECT_ENVIRONMENT = developmentEnvironment;
  UV_NO_SYNC = "1";
  UV_PYTHON = interpreter.interpreter;
  UV_PYTHON_DOWNLOADS = "never";
  shellHook = ''
    unset PYTHONPATH
    . ${./services/environment.sh}
  '';
}
