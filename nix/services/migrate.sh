#!/usr/bin/env bash
# migrate.sh: bring the database up to date, and fill an empty one with something to look at.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../../project"

python manage.py migrate
people=$(python manage.py shell --no-imports --command \
  'from apps.users.models import User; print(User.objects.exists())')
if [ "$people" = False ]; then python manage.py demo; fi
