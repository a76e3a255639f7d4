# shellcheck shell=bash
# Vite's dev server, for run.sh, with the packages in frontend/package-lock.json.
prepare() {
  free_port VITE_PORT
  cd frontend || exit
  # the marker that `manage.py up` also uses, so that packages are installed only once
  local mark=node_modules/.installed-from wanted
  wanted=$(sha256sum package-lock.json | cut -d' ' -f1)
  if [ "$(cat "$mark" 2>/dev/null)" != "$wanted" ]; then
    npm ci --prefer-offline --no-audit --no-fund --no-progress
    printf %s "$wanted" >"$mark"
  fi
}

start() { exec node node_modules/vite/bin/vite.js --clearScreen false; }
