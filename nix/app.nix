# The application as deployed: code with bytecode, static files, the front end's manifest, and one
# command. It contains neither tests nor development tools.
{
  lib,
  runCommand,
  environment,
  frontend,
}:
runCommand "dovetail"
  {
    src = lib.fileset.toSource {
      root = ../project;
      fileset = lib.fileset.difference (lib.fileset.fileFilter (file: !file.hasExt "pyc") ../project) (
        lib.fileset.unions [
          ../project/dovetail/devtools
        ]
      );
    };
    nativeBuildInputs = [ environment ];
    meta.mainProgram = "dovetail";
  }
  ''
    mkdir -p $out/bin $out/frontend/dist
    cp -r --no-preserve=mode $src $out/project
    cd $out/project

    # The settings expect both where a checkout has them. Of the built front end, only the manifest
    # is read at run time; the rest is served from staticfiles.
    cp -r --no-preserve=mode ${frontend}/. $out/frontend/dist
    export PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=config.settings.production
    export SECRET_KEY=$(printf 'for-the-build-only-%.0s' 1 2 3 4) ALLOWED_HOSTS=build.invalid SITE_URL=https://build.invalid
    export DATABASE_URL=postgres://build.invalid/build VALKEY_URL=redis://:build@build.invalid CELERY_BROKER_URL=amqp://build:build@build.invalid
    export EMAIL_URL=smtp+tls://build.invalid:587 DEFAULT_FROM_EMAIL=build@build.invalid
    python manage.py collectstatic --noinput --verbosity=0
    find $out/frontend/dist -mindepth 1 -maxdepth 1 ! -name .vite -exec rm -r {} +

    # Hash-based and unchecked: files in the store all have the same timestamp, and never change.
    python -m compileall -q --invalidation-mode unchecked-hash $out/project

    { echo "#!${environment}/bin/python" && cat ${./entrypoint.py}; } >$out/bin/dovetail
    chmod 755 $out/bin/*
  ''
