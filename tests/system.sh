#!/usr/bin/env bash
# What tests need beside Python: installed when root can, else said aloud. Never fails: the tests skip what is missing.
set -u

postgres_there() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null; }
chromium_there() { command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; }
node_there() { command -v node >/dev/null && command -v npm >/dev/null; }

wanted=()
chromium_there || wanted+=(chromium)
postgres_there || wanted+=(postgresql)
node_there || wanted+=(nodejs npm)

if [ ${#wanted[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing for the tests: ${wanted[*]}"
  # Not the cluster that Debian would make and start by itself: the tests start their own.
  mkdir -p /etc/postgresql-common/createcluster.d
  echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/ringfence.conf
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${wanted[@]}"; } </dev/null >/dev/null ||
    echo "apt-get could not install ${wanted[*]}" >&2
fi

chromium_there || echo 'SKIPPED: tests/e2e: there is no chromium. Install it, or run make test as root.'
postgres_there || echo 'SKIPPED: PostgreSQL migrations and storage: there is no initdb. Install postgresql, or run make test as root.'
node_there || echo 'SKIPPED: tests/static, the types of static/ and pyright: there is no node with npm. Install both, or run make test as root.'
[ -r /dev/kvm ] && [ -w /dev/kvm ] || echo 'SKIPPED: every test on real KVM: /dev/kvm does not open. `ringfence doctor` says why.'
exit 0
