#!/usr/bin/env bash
# Gets a Debian cloud kernel and QEMU 10 by apt-get download and unpacks them in the folder given; installs nothing.
# The mirror is the one this machine's apt already uses. usage: fetch.sh CACHE
set -euo pipefail

cache=$1
suite=bookworm-backports
if [ -e "$cache/ready" ]; then exit 0; fi
mkdir -p "$cache"/apt/lists/partial "$cache"/apt/cache/archives/partial "$cache"/debs
cd "$cache"

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | grep -v security | head -1 || true)
[ -n "$mirror" ] || { echo 'apt knows no bookworm mirror' >&2; exit 1; }
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" bookworm "$keyring" "$mirror" $suite >apt/sources.list
cat >apt/apt.conf <<S
Dir::Etc::sourcelist "$cache/apt/sources.list"; Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "$cache/apt/lists"; Dir::Cache "$cache/apt/cache"; APT::Sandbox::User "";
S
export APT_CONFIG=$cache/apt/apt.conf
apt-get update -qq

# The metapackage names the newest point release; older ones leave the mirror.
kernel=$(apt-cache depends linux-image-cloud-amd64/$suite | awk '/Depends:/ {print $2; exit}')
firmware=(seabios/$suite qemu-system-data/$suite)
# What QEMU needs beside what this machine has: simulated, so that nothing is changed and no root is needed.
libraries=$(apt-get install -s --no-install-recommends -t $suite qemu-system-x86 | awk '$1 == "Inst" {print $2}')
own=(qemu-system-x86/$suite qemu-system-common/$suite)
others=$(printf '%s\n' $libraries | grep -vE '^(qemu-|seabios)' || true)
(cd debs && apt-get download -qq "$kernel/$suite" "${own[@]}" "${firmware[@]}" $others)

rm -rf root && mkdir root
for deb in debs/*.deb; do dpkg-deb -x "$deb" root; done
rm -rf debs apt
echo "$kernel" >ready
