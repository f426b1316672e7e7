#!/bin/bash
# Builds a Kafka image without any image registry, from Debian packages plus the
# jars and the Java runtime already on this disk:
#
#   JARS=<dir with *.jar anywhere below> JAVA_HOME=<runtime> docker/build_image.sh TAG
set -euo pipefail
umask 022  # the image's non-root user must be able to read what is copied here

suite=bookworm
here=$(cd "$(dirname "$0")" && pwd)

die() {
  echo "build_image.sh: $*" >&2
  exit 1
}

# Runs a noisy command; its output matters only when it fails.
quietly() {
  "$@" >>"$work/log" 2>&1 || {
    tail -n 20 "$work/log" >&2
    die "'$1' failed, its last lines are above${hint:+; $hint}"
  }
}

# The mirror this machine's apt uses, so that no host name is fixed here.
debian_mirror() {
  # shellcheck disable=SC2016  # apt-get fills in the name, not the shell
  apt-get indextargets --format '$(REPO_URI)' \
    'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1
}

jars() {
  find -L "$JARS" \( -false "${names[@]}" \) "$@"
}

[[ $# -eq 1 ]] || die "expected one argument, the tag: docker/build_image.sh kafkalab/kafka:4.4.0"
tag=$1
# Several versions of Kafka may lie in one folder: the tag says which is meant.
names=(-o -name '*.jar')
pins=$here/../kafkalab/brokers/jars/${tag##*:}.txt
if [[ -r $pins ]]; then
  names=()
  while IFS=: read -r _ artifact version; do
    names+=(-o -name "$artifact-$version.jar")
  done <"$pins"
fi
[[ -d ${JARS-} ]] || die "JARS='${JARS-}' is not a directory; set it to where Kafka's jars are"
[[ -n $(jars -name 'kafka_*.jar') ]] || die "no kafka_*.jar below JARS=$JARS; fetch the jars first"
[[ -x ${JAVA_HOME-}/bin/java && -r $JAVA_HOME/release ]] ||
  die "no Java runtime (bin/java and release) in JAVA_HOME='${JAVA_HOME-}'; set it to one"
docker version >/dev/null 2>&1 ||
  die "no Docker engine answers; install docker.io, start it, and check you may use its socket"

content=$(
  {
    cat "$here"/{Dockerfile,entrypoint.sh,build_image.sh} "$JAVA_HOME/release"
    jars -printf '%f\n' | LC_ALL=C sort
  } | sha256sum | cut -d ' ' -f 1
)

report() {
  local bytes
  bytes=$(docker image inspect --format '{{.Size}}' "$tag")
  echo "$tag $1: $((bytes / 1000000)) MB, $SECONDS s"
}

label='{{index .Config.Labels "kafkalab.content"}}'
if [[ $(docker image inspect --format "$label" "$tag" 2>/dev/null) == "$content" ]]; then
  report 'is up to date'
  exit
fi

[[ $EUID -eq 0 ]] || die "debootstrap needs root; run this with sudo -E"
command -v debootstrap >/dev/null || die "no debootstrap; install it: apt-get install debootstrap"
mirror=${DEBIAN_MIRROR:-$(debian_mirror)} || true
[[ -n $mirror ]] || die "apt knows no Debian mirror; run apt-get update or set DEBIAN_MIRROR"

work=$(mktemp -d)
# A killed debootstrap may leave /proc mounted in its tree: stay out of that.
trap 'rm -rf --one-file-system "$work"' EXIT
mkdir -p "$work/context/libs"

hint="check the mirror $mirror, or set TMPDIR if $work is mounted nodev or noexec"
quietly debootstrap --variant=minbase "$suite" "$work/root" "$mirror"
hint=

# Left out: caches and texts nobody reads there, devices that the engine makes
# itself, and files that would carry this machine's names into the image.
quietly tar --create --file "$work/context/rootfs.tar" --directory "$work/root" --numeric-owner \
  --exclude='./dev/*' --exclude='./var/log/*' \
  --exclude='./var/cache/*' --exclude='./var/lib/apt/lists/*' \
  --exclude='./usr/share/doc/*' --exclude='./usr/share/info/*' \
  --exclude='./usr/share/locale/*' --exclude='./usr/share/man/*' \
  --exclude='./etc/hostname' --exclude='./etc/resolv.conf' --exclude='./etc/apt/sources.list' .

# A full JDK also brings what only compiling needs, partly as dangling links.
quietly tar --create --file "$work/context/java.tar" --directory "$JAVA_HOME" --dereference \
  --owner=0 --group=0 --numeric-owner --exclude='./demo' --exclude='./docs' --exclude='./include' \
  --exclude='./jmods' --exclude='./man' --exclude='./lib/src.zip' .
jars -exec install -p -m 644 {} "$work/context/libs/" \;
install -m 644 "$here/Dockerfile" "$work/context/"
install -m 755 "$here/entrypoint.sh" "$work/context/"

docker buildx version >/dev/null 2>&1 || export DOCKER_BUILDKIT=0
# No step needs the network, and so none gets it.
quietly docker build --network none --label "kafkalab.content=$content" --tag "$tag" "$work/context"
report built
