#!/usr/bin/env bash
# Builds the Dockerfile and runs the image with the bounds of docker-compose.yml, as root on Debian: npm run check-image
#
# It needs no daemon and no image registry: podman and buildah come from Debian, and the base image that FROM names is made
# here of Debian's packages and of the Node that package-lock.json pins. What it makes lies in IMAGE_CHECK_DIR.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

work=${IMAGE_CHECK_DIR:-/tmp/buy-links-image}
port=${IMAGE_CHECK_PORT:-5190}
dots_port=$((port + 1))
image=localhost/dots-buy-links:check
name=dots-buy-links-check
base=$(awk '$1 == "FROM" { print $2; exit }' Dockerfile)
mkdir -p "$work/tmp" "$work/catalog"
printf 'unqualified-search-registries = ["docker.io"]\n' >"$work/registries.conf"
export CONTAINERS_REGISTRIES_CONF="$work/registries.conf"

# Images and containers of the machine are neither seen nor touched.
store=(--root "$work/storage" --runroot "$work/run" --storage-driver "${IMAGE_CHECK_DRIVER:-overlay}")
limits=(--ulimit "nofile=$(ulimit -Hn):$(ulimit -Hn)" --ulimit nproc=4096:4096)
podman_() {
  podman "${store[@]}" --runtime runc --cgroup-manager cgroupfs --events-backend file --log-level fatal --tmpdir "$work/tmp" "$@"
}

failed=0
check() { # check WHAT COMMAND…
  if "${@:2}" >"$work/output" 2>&1; then echo "ok      $1"; else
    echo "FAILED  $1"
    head -n 10 "$work/output"
    failed=$((failed + 1))
  fi
}
not() { ! "$@"; }
inside() { podman_ exec "$name" "$@"; }
status_of() { curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port$1"; }
answers() { # answers PATH STATUS, within ten seconds
  for _ in $(seq 50); do
    [ "$(status_of "$1")" = "$2" ] && return
    sleep 0.2
  done
  return 1
}
lists_the_order() { inside node buy-links.js orders --since 1h | grep tee-black-m; }
has_errors() { podman_ logs "$name" 2>&1 | grep -E '"level":[56]0'; }
start() {
  podman_ run --detach --name "$name" "${limits[@]}" --network host --env-file "$work/env" --init --read-only \
    --read-only-tmpfs=false --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --memory 512m --pids-limit 100 \
    --volume "$name:/app/data" --volume "$work/catalog:/app/catalog:ro" "$image"
}

missing=()
for tool in podman buildah runc debootstrap catatonit curl; do command -v "$tool" >/dev/null || missing+=("$tool"); done
if [ "${#missing[@]}" -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends "${missing[@]}"
fi
[ -e node_modules/node/bin/node ] || npm ci --no-audit --no-fund

if ! podman_ image exists "docker.io/library/$base"; then
  echo "== Making $base"
  root=$work/root
  [ -e "$root/etc/debian_version" ] || debootstrap --variant=minbase --include=ca-certificates,libatomic1 bookworm "$root" >"$work/debootstrap.log"
  # Where the official image has them, with its user.
  install -D "$(readlink -f node_modules/node/bin/node)" "$root/usr/local/bin/node"
  npm_folder=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -r "$npm_folder" "$root/usr/local/lib/node_modules/npm"
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  chroot "$root" sh -c 'id node >/dev/null 2>&1 || useradd --uid 1000 --user-group --create-home node' >/dev/null
  tar -C "$root" -c . | podman_ import --quiet --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin' - "docker.io/library/$base" >/dev/null
fi

echo '== Building'
# The certificates of this machine are lent to npm, for networks with a proxy of their own.
printf 'cafile=/etc/ssl/certs/ca-certificates.crt\n' >"$work/npmrc"
buildah "${store[@]}" build --pull-never --format docker --isolation chroot --network host \
  --volume /etc/ssl/certs:/etc/ssl/certs:ro --volume "$work/npmrc:/usr/local/etc/npmrc:ro" \
  --tag "$image" . >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log"; exit 1; }
podman_ image inspect --format '{{.Size}} bytes, the base included' "$image"

echo '== What is in it'
look() { podman_ run --rm "${limits[@]}" --network none --entrypoint sh "$image" -c "$1"; }
look 'ls -A /app' >"$work/files"
look 'find /app -writable -not -path "/app/data*"' >"$work/writable"
check 'one program with its threads, and no packages, sources, catalog or settings' diff "$work/files" - <<'FILES'
buy-links.js
buy-links.js.map
catalog-worker.js
catalog-worker.js.map
catalog.schema.json
data
package.json
sqlite-thread.js
sqlite-thread.js.map
FILES
check 'its user can write to the data alone' not grep . "$work/writable"
check 'both generations of the heap are bounded' look 'echo "$NODE_OPTIONS" | grep -q old-space.*semi-space'

echo '== Running it'
trap 'podman_ rm --force --time 0 "$name" >/dev/null 2>&1 || true; [ -z "${dots:-}" ] || kill "$dots" 2>/dev/null || true' EXIT
podman_ volume rm --force "$name" >/dev/null 2>&1 || true
cp catalog.json "$work/catalog/"
printf '%s\n' DOTS_CLIENT_ID=check DOTS_API_KEY=check-key "DOTS_API_URL=http://127.0.0.1:$dots_port/api" \
  "PORT=$port" HOST=127.0.0.1 >"$work/env"
node_modules/.bin/node --input-type=module -e "
  import { startSandbox } from './src/sandbox/sandbox.ts'
  await startSandbox({ port: $dots_port, clientId: 'check', apiKey: 'check-key' })" &
dots=$!
check 'it starts, read-only and without capabilities' start
check 'it is ready' answers /readyz 200
check 'a link leads to the checkout' answers /buy/tee-black-m 302
check 'its own health check passes' podman_ healthcheck run "$name"
check 'it runs as the user node' test "$(inside id -un)" = node
check 'nothing beside the data can be written' not inside touch /app/x
check 'the orders are listed' lists_the_order
check 'a backup is made' inside node buy-links.js backup data/backup.db
check 'the catalog is checked' inside node buy-links.js check-catalog
check 'a link is printed' inside node buy-links.js link tee-black-m
check 'a reconciliation runs' inside node buy-links.js reconcile --since 1h
sed 's/"tee-black-m"/"tee-new"/' catalog.json >"$work/catalog/new.json" && mv "$work/catalog/new.json" "$work/catalog/catalog.json"
check 'a catalog that replaced the old one is seen' answers /buy/tee-new 302

echo '== Stopping it, and starting it again'
SECONDS=0
podman_ stop --time 15 "$name" >/dev/null
check 'it stops in ten seconds' test "$SECONDS" -lt 10
check 'with the exit code 0' test "$(podman_ inspect --format '{{.State.ExitCode}}' "$name")" = 0
check 'no line of its log is an error' not has_errors
podman_ rm "$name" >/dev/null
check 'it starts again' start
check 'and is ready' answers /readyz 200
check 'it knows the orders of before' lists_the_order
podman_ rm --force --time 15 "$name" >/dev/null
printf 'PORT=%s\n' "$port" >"$work/env"
podman_ run --rm "${limits[@]}" --read-only --env-file "$work/env" "$image" >"$work/wrong" 2>&1 && code=0 || code=$?
check 'without settings it ends with 1 and names them' sh -c "test $code = 1 && grep -q DOTS_API_KEY '$work/wrong'"

echo "$failed failed"
[ "$failed" = 0 ]
