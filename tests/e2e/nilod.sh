# Sourced by the scripts beside it: a nilod of their own in a temporary folder, stopped and removed at the end.
#
#   nilod_start [OPTION...]   starts one, with coaps at $NILOD_COAPS (off without it), on $folder/store; sets NILO_SERVER, NILO_TOKEN_FILE, coap and coaps
#   nilod_stop                stops it; fails unless it exits with 0
# shellcheck shell=bash
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${NILO_BUILD_DIR:-$source/build/debug}
PATH=$build:$PATH
folder=$(mktemp -d)
nilod=''
nilod_end() {
    if [[ $nilod ]]; then
        kill "$nilod" 2>/dev/null && wait "$nilod"
    fi
    cd / && rm -rf "$folder"
}
trap nilod_end EXIT
cd "$folder" || exit 1

nilod_start() {
    local line
    rm -f ready
    mkfifo ready
    "$build/nilod" --store store --coap 127.0.0.1:0 --coaps "${NILOD_COAPS:-off}" --http 127.0.0.1:0 "$@" > ready 2>> nilod.log &
    nilod=$!
    exec 3< ready
    read -r -t 60 line <&3 || { echo "nilod did not become ready:"; cat nilod.log; exit 1; }
    NILO_SERVER=http://$(sed -E 's/.* http=([^ ]+).*/\1/' <<< "$line")
    coap=$(sed -E 's/.* coap=([^ ]+) .*/\1/' <<< "$line")
    coaps=$(sed -E 's/.* coaps=([^ ]+) .*/\1/' <<< "$line")
    NILO_TOKEN_FILE=$folder/store/admin.token
    export NILO_SERVER NILO_TOKEN_FILE coap coaps
}

nilod_stop() {
    local code=0
    kill "$nilod"
    wait "$nilod" || code=$?
    nilod=''
    return $code
}
