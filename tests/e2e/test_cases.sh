#!/usr/bin/env bash
# The contract's cases (tests/cases) against the nilod of this build: each on a fresh store, through the API alone.
#
# A nilod with a sanitizer starts slowly: such builds run every third case.
set -uo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${NILO_BUILD_DIR:-$source/build/debug}
cases=$source/tests/cases

command -v python3 >/dev/null || { echo "python3 is absent: tools/install test brings it"; exit 1; }
share=1
grep -q '^NILO_SANITIZE:[A-Z]*=..*' "$build/CMakeCache.txt" && share=3

chosen() {
    python3 - "$share" "$cases"/{lifecycle,verification,twists,consumption,vee,lossrate}.json <<'END'
import json, sys
ids = []
for name in sys.argv[2:]:
    for case in json.load(open(name, encoding='utf-8')):
        ids.append(case['id'])
print(','.join(ids[::int(sys.argv[1])]))
END
}
ids=$(chosen) && [[ $ids ]] || exit 1
python3 "$cases/run.py" --build "$build" --only "$ids" "$cases"/{lifecycle,verification,twists,consumption,vee,lossrate}.json
