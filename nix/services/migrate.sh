#!/usr/bin/env bash
# migrate.sh: migrate the database, and add demo data if it has no users.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../../project"

python manage.py migrate
people=$(python manage.py shell --no-imports --command \
  'from django.contrib.auth import get_user_model as user; print(user().objects.exists())')
if [ "$people" = False ]; then python manage.py demo; fi
