# `nix develop`: everything in PATH, nothing downloaded or installed by entering it.
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
  # The environment comes out of uv.lock through Nix: uv may lock and run, never install.
  UV_PROJECT_ENVIRONMENT = developmentEnvironment;
  UV_NO_SYNC = "1";
  UV_PYTHON = interpreter.interpreter;
  UV_PYTHON_DOWNLOADS = "never";
  shellHook = ''
    unset PYTHONPATH
    . ${./services/environment.sh}
  '';
}
