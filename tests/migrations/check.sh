#!/usr/bin/env bash
# Models and migrations agree: upgrade an empty SQLite database, then ask alembic for differences. $1: alembic.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export RINGFENCE_DATABASE_URL="sqlite+aiosqlite:///$folder/fresh.sqlite3"
"$1" upgrade head
"$1" check
