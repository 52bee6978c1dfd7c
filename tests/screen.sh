#!/usr/bin/env bash
# The browser's modules: types by tsc over JSDoc, behaviour by node's own test runner. Says so when there is no node.
set -euo pipefail

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo 'SKIPPED: tests/static and the types of static/: there is no node with npm here.'
  exit 0
fi
npx --no-install tsc -p jsconfig.json
mapfile -t files < <(find tests/static -name '*.test.js' | sort)
node --test --test-reporter=spec "${files[@]}" </dev/null
