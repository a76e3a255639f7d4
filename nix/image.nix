# The OCI image. `image` is a file for `docker load -i`; `imageStream` is a script that streams it.
{
  lib,
  pkgs,
  app,
  environment,
  revision,
}:
let
  user = "65532"; # the usual "nonroot" id of images without a shell
  accounts = pkgs.runCommand "accounts" { } ''
    mkdir -p $out/etc
    echo 'dovetail:x:${user}:${user}:dovetail:/tmp:/sbin/nologin' >$out/etc/passwd
    echo 'dovetail:x:${user}:' >$out/etc/group
    echo 'hosts: files dns' >$out/etc/nsswitch.conf
  '';
  # Of PostgreSQL, the two programs for backups (dovetail.backups). They refer to the server, which
  # would come along with its shell scripts, for translations of what they say.
  postgresqlClient =
    pkgs.runCommand "postgresql-client"
      {
        original = pkgs.postgresql_17;
        disallowedReferences = [ pkgs.postgresql_17 ];
      }
      ''
        mkdir -p $out/bin
        for program in pg_dump pg_restore; do
          # To a path of the same length, as in python.nix.
          LC_ALL=C sed "s|$original|/nix/store/$(printf 'e%.0s' {1..32})''${original:43}|g" \
            $original/bin/$program >$out/bin/$program
          chmod 755 $out/bin/$program
        done
      '';
  nanoseconds = seconds: seconds * 1000000000;
  specification = {
    name = "dovetail";
    tag = revision;
    contents = [
      accounts
      pkgs.dockerTools.caCertificates
    ];
    # /data is the mount point for uploads; world-writable, because layers cannot set its owner.
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
        "PATH=${app}/bin:${environment}/bin:${postgresqlClient}/bin"
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
      # For `web`. OCI has no health checks, so only Docker reads it: orchestrators need a probe.
      Healthcheck = {
        Test = [
          "CMD"
          (lib.getExe app)
          "health"
          "web"
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
