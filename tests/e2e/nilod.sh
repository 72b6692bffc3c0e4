# Sourced by the scripts beside it: a nilod of their own in a temporary folder, stopped and removed at the end.
#
#   nilod_start [OPTION...]   starts one, with coaps at $NILOD_COAPS (off without it), on $folder/store; sets NILO_SERVER, NILO_TOKEN_FILE, coap and coaps
#   nilod_stop                stops it; fails unless it exits with 0
#   flags_survive_a_rebuild NOW [OPTION...]   a claim of its own: views are thrown away, nilod starts at that time, and `nilo flag list OPTION...`, which told of some, tells the same; store and audit are sound
#   hold CLAIM...             runs functions, each a claim that has failed where it returns an error; with an argument to the script that one alone
#   hold_end                  stops nilod, and exits with 1 if a claim failed
#
# Claims say what differs by
#
#   is EXPECTED FOUND         both texts are the same
#   has TEXT PART...          every part stands in the text
#   exits CODE COMMAND...     the command ends with that code; what it printed, on both outputs, is in $said
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
export NILOD_SELF_CHECK=1 # a server that kept something beside its store ends with 1 where that is not what the store says

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

flags_survive_a_rebuild() {
    local now=$1
    shift
    nilo flag list --format ndjson "$@" > before || return 1
    has "$(< before)" '"kind"' || return 1
    nilod_stop && rm store/views.mdb* || return 1
    nilod_start --tz Asia/Shanghai --virtual-clock "$now"
    nilo settle && nilo flag list --format ndjson "$@" > after || return 1
    cmp before after || { diff before after; return 1; }
    exits 0 nilo store check --store store && exits 0 nilo audit verify
}

is() { [[ $1 == "$2" ]] || { printf '      expected: %s\n      found:    %s\n' "$1" "$2"; return 1; }; }
has() {
    local text=$1 part
    shift
    for part in "$@"; do
        [[ $text == *"$part"* ]] || { printf '      expected: …%s…\n      found:    %s\n' "$part" "$text"; return 1; }
    done
}
exits() {
    local code=$1 found=0
    shift
    said=$("$@" 2>&1) || found=$?
    is "$code from $*" "$found from $*" || { printf '      said:     %s\n' "$said"; return 1; }
}

only=${1:-}
failed=0
hold() {
    local claim
    for claim in "$@"; do
        [[ $only && $claim != "$only" ]] && continue
        said=''
        if "$claim"; then
            echo "ok      $claim"
        else
            echo "FAILED  $claim"
            failed=1
        fi
    done
}
hold_end() {
    [[ ! $nilod ]] || nilod_stop || { echo "nilod did not end well"; failed=1; }
    [[ $failed == 0 ]] || { tail -20 nilod.log; exit 1; }
    exit 0
}
