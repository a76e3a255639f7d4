# The image for people without Nix; nix/image.nix builds one with the same content, and
# tests/deploy/test_images.py keeps their settings the same. Bases are pinned by version and digest.
FROM docker.io/library/python:3.13.15-slim-trixie@sha256:8d9d0b8bcf6506481eae4907c18f5e3e7902e629f5f6d684f9e7c32e85e3ddf0 AS python

# --- The front end -----------------------------------------------------------------------------
FROM docker.io/library/node:24.21.0-trixie-slim@sha256:8ec5d7557396cfe32d21c3f9c13072355ceab22b584578ca4bb28af31120cffe AS frontend
WORKDIR /app/frontend
COPY frontend/package.json frontend/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY frontend ./
# The types of the API's client are made of it.
COPY docs/openapi.yaml /app/docs/openapi.yaml
# Tailwind scans templates and Python for class names.
COPY project /app/project
RUN CI=true npm run build

# --- The environment from uv.lock, and the application ----------------------------------------
FROM python AS application
ENV UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PROJECT_ENVIRONMENT=/app/environment \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /app
# Copied from here, so that the last stage installs nothing: tini, and the two programs of `manage
# backup` and `manage restore`, with the libraries that the base lacks.
RUN set -e; \
    find / -xdev -name '*.so*' >/tmp/base; \
    apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends tini postgresql-client-17; \
    mkdir -p postgresql/bin postgresql/lib; \
    cp /usr/lib/postgresql/17/bin/pg_dump /usr/lib/postgresql/17/bin/pg_restore postgresql/bin; \
    for library in $(ldd postgresql/bin/* | awk '$2 == "=>" { print $3 }' | sort -u); do \
      grep -q "/${library##*/}$" /tmp/base || cp -L "$library" postgresql/lib; \
    done
COPY .ci/uv.txt .ci/uv.txt
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --require-hashes -r .ci/uv.txt
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-dev --all-extras --compile-bytecode --python "$(command -v python3)"
COPY project ./project
COPY --from=frontend /app/frontend/dist ./frontend/dist
# As in nix/app.nix: no development tools, collected static files, of the built front end only the
# manifest, and bytecode that is never checked, because the files never change.
RUN set -e; \
    rm -r project/dovetail/devtools; \
    cd project; \
    export PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=config.settings.production; \
    export SECRET_KEY="$(printf 'for-the-build-only-%.0s' 1 2 3 4)" ALLOWED_HOSTS=build.invalid SITE_URL=https://build.invalid; \
    export DATABASE_URL=postgres://build.invalid/build VALKEY_URL=redis://:build@build.invalid CELERY_BROKER_URL=amqp://build:build@build.invalid; \
    export EMAIL_URL=smtp+tls://build.invalid:587 DEFAULT_FROM_EMAIL=build@build.invalid; \
    /app/environment/bin/python manage.py collectstatic --noinput --verbosity=0; \
    find ../frontend/dist -mindepth 1 -maxdepth 1 ! -name .vite -exec rm -r {} +; \
    /app/environment/bin/python -m compileall -q --invalidation-mode unchecked-hash /app/project
COPY nix/entrypoint.py /tmp/
RUN set -e; \
    mkdir bin; \
    { echo '#!/app/environment/bin/python'; cat /tmp/entrypoint.py; } >bin/dovetail; \
    chmod 755 bin/dovetail; \
    rm -r .ci pyproject.toml uv.lock

# --- What runs ---------------------------------------------------------------------------------
FROM python
# The user is that of the Nix image. /data is the mount point for uploads: a new volume takes over
# its mode. pip goes, because nothing is installed in a container.
RUN set -e; \
    echo 'dovetail:x:65532:65532:dovetail:/tmp:/sbin/nologin' >>/etc/passwd; \
    echo 'dovetail:x:65532:' >>/etc/group; \
    mkdir -m 1777 /data; \
    pip uninstall --yes --quiet --root-user-action=ignore pip; \
    rm -rf /root/.cache
COPY --from=application /usr/bin/tini /usr/bin/tini
COPY --from=application /app /app
RUN echo /app/postgresql/lib >/etc/ld.so.conf.d/postgresql.conf && ldconfig
ENV PATH=/app/bin:/app/environment/bin:/app/postgresql/bin:/usr/local/bin:/usr/bin:/bin \
    DJANGO_SETTINGS_MODULE=config.settings.production \
    DATA_DIR=/data \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONTZPATH=/usr/share/zoneinfo \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# --build-arg REVISION=$(git rev-parse HEAD)
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Dovetail" \
      org.opencontainers.image.description="Django with its static files; roles: web, worker, beat, migrate, manage" \
      org.opencontainers.image.revision="${REVISION}"
USER 65532:65532
WORKDIR /app/project
EXPOSE 8000/tcp
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD ["/app/bin/dovetail", "health", "web"]
ENTRYPOINT ["/usr/bin/tini", "--", "/app/bin/dovetail"]
CMD ["web"]
