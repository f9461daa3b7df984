#!/bin/sh
# Puts Mesa's software Vulkan driver (lavapipe) into a folder, from Debian's own packages and without root: graphs then run on ONNX Runtime's WebGPU provider
# where there is no GPU. apt takes its sources, keys and proxies from this machine's configuration, and changes nothing outside the folder.
# usage: .ci/lavapipe.sh FOLDER      then VK_ICD_FILENAMES=FOLDER/lvp_icd.json LD_LIBRARY_PATH=FOLDER for what is to use it
set -eu

fail() {
  echo "lavapipe.sh: $1" >&2
  exit 1
}

[ $# -eq 1 ] || fail "usage: lavapipe.sh FOLDER"
folder=$(realpath -m "$1")
[ "$(uname -sm)" = "Linux x86_64" ] || fail "only for Linux on x86-64"
ID='' VERSION_CODENAME=''
[ ! -r /etc/os-release ] || . /etc/os-release
[ "$ID" = debian ] || fail "only for Debian; elsewhere install the packages that hold libvulkan.so.1 and Mesa's lavapipe, 23 or newer"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/root"

# Debian 12's own Mesa (22.3) has no adapter that WebGPU accepts; its backports have one.
suite=$VERSION_CODENAME
[ "$suite" != bookworm ] || suite=bookworm-backports
archive=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Release: $VERSION_CODENAME" | head -n 1)
[ -n "$archive" ] || fail "apt has no source for $VERSION_CODENAME"
printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
  "$archive" "$(printf '%s\n' "$VERSION_CODENAME" "$suite" | sort -u | xargs)" > "$work/debian.sources"

quiet_apt() {
  apt-get -qq -o Debug::NoLocking=true -o APT::Sandbox::User= -o Dpkg::Use-Pty=false -o Dir::Etc::SourceList="$work/debian.sources" -o Dir::Etc::SourceParts=- \
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" "$@" > "$work/log" 2>&1 || { cat "$work/log" >&2; fail "apt-get could not fetch the packages"; }
}

quiet_apt update
quiet_apt --yes --download-only --reinstall --no-install-recommends install "mesa-vulkan-drivers/$suite" libvulkan1
for package in "$work"/cache/archives/*.deb; do
  dpkg -x "$package" "$work/root"
done

# Only the libraries, beside each other; of Mesa's drivers only the one in software. Its manifest names the library relative to itself, so the folder can be moved.
new=$folder.new
rm -rf "$new"
mkdir -p "$new"
find "$work/root" \( -name '*.so' -o -name '*.so.*' \) -path '*/lib/x86_64-linux-gnu/*' ! -path '*/x86_64-linux-gnu/*/*' \
  ! \( -name 'libvulkan_*' ! -name libvulkan_lvp.so \) ! -name 'libVkLayer_*' -exec cp -P {} "$new" \;
sed 's#"library_path": *"[^"]*"#"library_path": "./libvulkan_lvp.so"#' "$work"/root/usr/share/vulkan/icd.d/lvp_icd*.json > "$new/lvp_icd.json"
[ -e "$new/libvulkan_lvp.so" ] && [ -e "$new/libvulkan.so.1" ] || fail "the packages do not hold what they should"
rm -rf "$folder"
mv "$new" "$folder"
