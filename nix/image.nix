# The OCI image. `image` is a file for `docker load -i`, `imageStream` a program that writes the same.
{
  lib,
  pkgs,
  app,
  environment,
  revision,
}:
let
  user = "65532"; # "nonroot", as other images without a shell number it
  accounts = pkgs.runCommand "accounts" { } ''
    mkdir -p $out/etc
    echo 'dovetail:x:${user}:${user}:dovetail:/tmp:/sbin/nologin' >$out/etc/passwd
    echo 'dovetail:x:${user}:' >$out/etc/group
    echo 'hosts: files dns' >$out/etc/nsswitch.conf
  '';
  nanoseconds = seconds: seconds * 1000000000;
  specification = {
    name = "dovetail";
    tag = revision;
    contents = [
      accounts
      pkgs.dockerTools.caCertificates
    ];
    # /data takes a volume for uploads; it is open to all because no layer can give it to an owner.
    extraCommands = "mkdir -m 1777 tmp data";
    maxLayers = 100;
    config = {
      User = "${user}:${user}";
      WorkingDir = "${app}/project";
      Entrypoint = [
        (lib.getExe pkgs.tini)
        "--"
        (lib.getExe app)
      ];
      Cmd = [ "web" ];
      Env = [
        "PATH=${app}/bin:${environment}/bin"
        "DJANGO_SETTINGS_MODULE=config.settings.production"
        "DATA_DIR=/data"
        "PYTHONUNBUFFERED=1"
        "PYTHONDONTWRITEBYTECODE=1"
        "PYTHONTZPATH=${pkgs.tzdata}/share/zoneinfo"
        "SSL_CERT_FILE=/etc/ssl/certs/ca-bundle.crt"
      ];
      ExposedPorts."8000/tcp" = { };
      Labels = {
        "org.opencontainers.image.title" = "Dovetail";
        "org.opencontainers.image.description" = "Django with its static files; roles: web, worker, beat, migrate, manage";
        "org.opencontainers.image.revision" = revision;
      };
      # For `web`; Docker reads it, OCI has no place for it: an orchestrator needs its own probe.
      Healthcheck = {
        Test = [
          "CMD"
          "${environment}/bin/python"
          "-c"
          "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('PORT', '8000') + '/livez', timeout=3)"
        ];
        Interval = nanoseconds 30;
        Timeout = nanoseconds 5;
        StartPeriod = nanoseconds 20;
        Retries = 3;
      };
    };
  };
in
lib.optionalAttrs pkgs.stdenv.hostPlatform.isLinux {
  image = pkgs.dockerTools.buildLayeredImage specification;
  imageStream = pkgs.dockerTools.streamLayeredImage specification;
}
