# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The base root image `tarn/slim`: the file system that sandboxed tasks see. A small Debian 12 with
# Python 3.11 (venv, pip), certificates, zstd and the AWS CLI; beside them, where only Lambda's
# Python runtime looks, boto3. Sourced by setup.sh.
#
# It is made from the Debian archive that this machine's own apt uses, unpacked into
# $TARN_CACHE/roots/slim-<hash of its recipe>; `roots/current` points to the newest. It holds no
# device nodes and no set-user-id programs; sandboxes mount it read-only. As root its files belong
# to root; otherwise to the user, who is root in the sandbox's user namespace.

base_root_packages=python3,python3-venv,python3-pip,ca-certificates,gzip,tar,zstd

debian_source() {  # the apt source line of this machine's Debian archive
  local uri
  uri="$(apt-get indextargets --format '$(REPO_URI)|$(CODENAME)|$(COMPONENT)' \
    'Created-By: Packages' | sed -n 's/|bookworm|main$//p' | head -n 1)"
  [ -n "$uri" ] || die "apt on this machine has no Debian 12 'main' archive to make tarn/slim from"
  echo "deb $uri bookworm main"
}

# Runs a command inside a root, as its root user, without network.
in_root() {
  local root="$1" user=()
  shift
  [ "$(id -u)" = 0 ] || user=(--unshare-user --uid 0 --gid 0)
  bwrap ${user[@]+"${user[@]}"} --unshare-pid --unshare-ipc --unshare-net \
    --bind "$root" / --dev /dev --proc /proc --tmpfs /tmp --ro-bind "$base_root_wheels" /mnt \
    --clearenv --setenv PATH /usr/local/bin:/usr/bin:/bin --setenv HOME /tmp \
    --setenv LANG C.UTF-8 "$@"
}

# A Debian file system as a tar stream.
debian_tar() {
  local mode=unshare
  [ "$(id -u)" != 0 ] || mode=root
  mmdebstrap --quiet --mode="$mode" --variant=apt --include="$base_root_packages" \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm - "$(debian_source)"
}

trim_root() {
  local root="$1"
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/cache/debconf/* \
    "$root"/var/log/* "$root"/var/lib/dpkg/*-old "$root"/etc/apt/sources.list \
    "$root"/etc/apt/apt.conf.d/* "$root"/etc/machine-id "$root"/run/* "$root"/tmp/* \
    "$root"/opt/aws-cli/lib/python3*/site-packages/awscli/examples
  : >"$root/etc/resolv.conf"
  echo tarn >"$root/etc/hostname"
  printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
  find "$root" -xdev -perm /6000 -exec chmod ug-s {} +
}

install_aws_cli() {  # from wheels fetched by this machine's pip: the root itself has no network
  local root="$1" cli
  cli="$(grep '^awscli==' "$TARN_REPO/tools/dev/requirements-tools.txt")"
  "$TARN_TOOLS/python" -m pip download -q --no-input --only-binary :all: --python-version 3.11 \
    -d "$base_root_wheels" -c "$TARN_REPO/tools/dev/requirements-tools.txt" "$cli"
  in_root "$root" python3 -m venv --without-pip /opt/aws-cli
  in_root "$root" python3 -m pip --python /opt/aws-cli/bin/python3 install -q --no-index \
    --root-user-action ignore --no-compile --find-links /mnt awscli
  in_root "$root" /opt/aws-cli/bin/python3 -m compileall -q -j 0 \
    --invalidation-mode unchecked-hash /opt/aws-cli/lib
  ln -s /opt/aws-cli/bin/aws "$root/usr/local/bin/aws"
}

install_lambda_sdk() {  # as on AWS, a Lambda function may import boto3 without bringing it
  local root="$1" site=/var/lang/lib/python3.11/site-packages
  "$TARN_TOOLS/python" -m pip download -q --no-input --only-binary :all: --python-version 3.11 \
    -d "$base_root_wheels" -c "$TARN_REPO/tools/dev/requirements-tools.txt" boto3
  mkdir -p "$root$site"
  in_root "$root" python3 -m pip install -q --no-index --root-user-action ignore --no-compile \
    --find-links /mnt --target "$site" boto3
  in_root "$root" python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash "$site"
}

build_base_root() {
  local key dir work
  key="$({
    cat "$TARN_REPO/tools/dev/base_root.sh"
    grep -E '^(awscli|boto3|botocore)==' "$TARN_REPO/tools/dev/requirements-tools.txt"
  } | sha256sum | cut -c1-12)"
  dir="$TARN_CACHE/roots/slim-$key"
  if [ "$force" = 0 ] && [ -f "$dir.complete" ] && [ -d "$dir" ]; then
    ln -sfn "slim-$key" "$TARN_CACHE/roots/current"
    return 0
  fi
  say "making the base root image tarn/slim"
  mkdir -p "$TARN_CACHE/roots"
  rm -rf "$TARN_CACHE"/roots/making-*  # of a setup that was broken off; only one runs at a time
  work="$(mktemp -d "$TARN_CACHE/roots/making-XXXXXX")"
  chmod 755 "$work"
  base_root_wheels="$work.wheels"
  mkdir "$base_root_wheels"
  # Device nodes are left out: every sandbox gets its own /dev.
  debian_tar | tar -x -C "$work" --numeric-owner --exclude='./dev/*' ||
    die "mmdebstrap could not make a Debian root (its messages are above)"
  install_aws_cli "$work"
  install_lambda_sdk "$work"
  trim_root "$work"
  in_root "$work" aws --version >/dev/null || die "the AWS CLI does not start in tarn/slim"
  in_root "$work" env PYTHONPATH=/var/lang/lib/python3.11/site-packages python3 -c 'import boto3' ||
    die "boto3 is not complete in tarn/slim"
  in_root "$work" python3 -c 'import ssl, sqlite3, venv, ensurepip, zlib' ||
    die "Python is not complete in tarn/slim"
  rm -rf "$base_root_wheels" "$dir" "$dir.complete"
  mv "$work" "$dir"
  touch "$dir.complete"
  ln -sfn "slim-$key" "$TARN_CACHE/roots/current"
  # Older images stay for a week, for a Tarn that runs on them.
  find "$TARN_CACHE/roots" -maxdepth 1 -name 'slim-*' ! -name "slim-$key*" -mtime +7 \
    -exec rm -rf {} +
  say "tarn/slim ready: $(du -sm "$dir" | cut -f1) MB in $dir"
}
