#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The libraries of another architecture, unpacked below DIR: tests/cross/packages.sh DIR ARCHITECTURE
# Nothing of the machine is changed: lists and packages lie below DIR, too.
set -eu

dir=$1 architecture=$2
packages='libdw1 libelf1 libdw-dev libelf-dev check libsubunit0 libsubunit-dev zlib1g zlib1g-dev libiberty-dev libbz2-1.0 liblzma5'

test ! -e "$dir/.done" || exit 0
mkdir -p "$dir/lists/partial" "$dir/debs"
debs=$(cd "$dir/debs" && pwd)
lists=$(cd "$dir/lists" && pwd)
apt()
{
	apt-get -q -o Dir::State::lists="$lists" -o APT::Sandbox::User=root -o APT::Architectures::=amd64 \
		-o APT::Architectures::="$architecture" "$@"
}
apt update >/dev/null
# shellcheck disable=SC2086
(cd "$debs" && apt download $(for p in $packages; do echo "$p:$architecture"; done) >/dev/null)
for deb in "$debs"/*.deb; do
	dpkg -x "$deb" "$dir"
done
touch "$dir/.done"
