# shellcheck shell=bash
# Vite's server, for run.sh, on the packages that frontend/package-lock.json pins.
prepare() {
  free_port VITE_PORT
  cd frontend || exit
  # the same mark as `manage.py up` leaves, so that neither installs what the other has
  local mark=node_modules/.installed-from wanted
  wanted=$(sha256sum package-lock.json | cut -d' ' -f1)
  if [ "$(cat "$mark" 2>/dev/null)" != "$wanted" ]; then
    npm ci --prefer-offline --no-audit --no-fund --no-progress
    printf %s "$wanted" >"$mark"
  fi
}

start() { exec node node_modules/vite/bin/vite.js --clearScreen false; }
