#!/usr/bin/env bash
# People who sign in with a name and a password, over a real nilod: sessions, what a page must send to write, guesses that wait. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

# A browser: its cookies stand in $jar, its CSRF token in $csrf.
jar=anna.jar csrf=''
page() { curl -s -w '\n%{http_code}' -b "$jar" -c "$jar" "${@:2}" "$NILO_SERVER$1"; }
post() { page "$1" -H 'Content-Type: application/json' -H "X-CSRF-Token: $csrf" -d "$2" "${@:3}"; }
sign_in() {
    said=$(post /v1/session "{\"name\":\"$1\",\"password\":\"$2\"}" "${@:3}")
    csrf=$(sed -n 's/.*"csrf":"\([0-9a-f]*\)".*/\1/p' <<< "$said")
    [[ $said == *$'\n201' ]]
}
hasnt() { local all=$1 word; for word in "${@:2}"; do [[ $all != *"$word"* ]] || { echo "      found:    …$word…"; return 1; }; done; }
secret() { awk '/nilo_session/ { print $7 }' "$jar"; }

people_are_made_with_a_password_that_no_list_shows() {
    exits 0 nilo user create anna --role supervisor <<< 'correct horse' && exits 0 nilo user create ben --role reader --org N <<< 'battery staple' || return 1
    exits 0 nilo user list --format ndjson && has "$said" '"name":"anna","role":"supervisor","enabled":true' '"name":"ben","role":"reader","org":"N"' && hasnt "$said" horse scrypt hash salt || return 1
    exits 0 nilo user create anna --role supervisor <<< 'correct horse' || return 1
    exits 1 nilo user create anna --role reader <<< 'correct horse' && has "$said" 'somebody called anna already' || return 1
    exits 1 nilo user create carl --role reader <<< 'short' && has "$said" '8 to 256 bytes' || return 1
    exits 1 nilo user create carl --role reader <<< 'aaaaaaaaaa' && has "$said" 'guessed first' || return 1
    exits 1 nilo user create carl --role king <<< 'correct horse' && has "$said" 'found king' || return 1
    exits 1 nilo user create carl --role reader --org NOWHERE <<< 'correct horse' && has "$said" 'NOWHERE' || return 1
    hasnt "$(nilo audit list --format ndjson)" horse
    ! grep -q 'correct horse' store/ledger.mdb
}

a_name_and_its_password_make_a_session() {
    sign_in anna 'correct horse' && has "$said" '"role":"supervisor"' '"csrf":"' || return 1
    has "$(page /v1/session)" '"name":"anna"' "\"csrf\":\"$csrf\"" '"tz":"Asia/Shanghai"' $'\n200' || return 1
    has "$(page '/v1/points?limit=1')" $'\n200' && grep -q '^#HttpOnly_' "$jar" || return 1
    has "$(curl -si -H 'Content-Type: application/json' -d '{"name":"anna","password":"correct horse"}' "$NILO_SERVER/v1/session")" 'HttpOnly' 'SameSite=Strict' 'Path=/' 'Max-Age=86400' || return 1
    has "$(nilo audit list --format ndjson | tail -3)" '"who":"anna"' 'session.begin'
}

what_writes_needs_what_only_the_page_knows() {
    has "$(csrf='' post /v1/points '{"point":"X1","use_class":"residential"}')" $'\n403' X-CSRF-Token && has "$(csrf=${csrf%?}x post /v1/points '{"point":"X1"}')" $'\n403' || return 1
    has "$(csrf='' post /v1/session/end '')" $'\n403' && has "$(page /v1/session)" $'\n200' || return 1
    has "$(post /v1/points '{"point":"X1","use_class":"residential"}')" $'\n201' && has "$(nilo audit list --format ndjson | grep X1)" '"who":"anna"' || return 1
    # A form of another site cannot say that it sends JSON.
    has "$(page /v1/session -H 'Content-Type: text/plain' -d '{"name":"anna","password":"correct horse"}')" $'\n415' && has "$(page /v1/session -d '{"name":"anna","password":"correct horse"}')" $'\n415'
}

a_secret_that_the_browser_brought_is_never_made_a_session() {
    local own=jar-of-thief
    printf '127.0.0.1\tFALSE\t/\tFALSE\t0\tnilo_session\t%s\n' "$(printf 'A%.0s' {1..43})" > "$own"
    jar=$own sign_in anna 'correct horse' || return 1
    [[ $(jar=$own secret) != AAAA* && $(jar=$own secret) != "$(secret)" ]] && has "$(curl -s -w '\n%{http_code}' -H "Cookie: nilo_session=$(printf 'A%.0s' {1..43})" "$NILO_SERVER/v1/session")" $'\n401'
}

signing_out_counts_at_once_and_for_that_session_alone() {
    jar=other.jar sign_in anna 'correct horse' || return 1
    local other=$csrf
    has "$(jar=other.jar csrf=$other post /v1/session/end '')" $'\n200' && has "$(jar=other.jar page /v1/session)" $'\n401' || return 1
    jar=anna.jar && has "$(page /v1/session)" $'\n200'
}

a_restart_signs_nobody_out_and_the_clock_does() {
    nilod_stop && nilod_start --virtual-clock 2026-03-01T06:00:00Z && has "$(page /v1/session)" '"name":"anna"' || return 1
    nilo clock set 2026-03-02T05:59:00Z > /dev/null && has "$(page /v1/session)" $'\n401'
}

a_unit_sees_its_own_people_and_its_own_points() {
    jar=ben.jar sign_in ben 'battery staple' && has "$said" '"org":"N"' || return 1
    has "$(jar=ben.jar page '/v1/users')" $'\n403' || return 1
    nilo user create chief --role supervisor --org N <<< 'over the hills' > /dev/null && jar=chief.jar sign_in chief 'over the hills' || return 1
    jar=chief.jar
    said=$(page /v1/users) && has "$said" '"ben"' '"chief"' && hasnt "$said" '"anna"' || return 1
    has "$(post /v1/users '{"name":"dora","role":"reader","org":"S","password":"seven lakes"}')" $'\n403' && has "$(post /v1/users '{"name":"dora","role":"reader","password":"seven lakes"}')" $'\n403' || return 1
    has "$(post /v1/users '{"name":"dora","role":"admin","org":"N","password":"seven lakes"}')" $'\n403' 'only an administrator' && has "$(post /v1/users/anna '{"enabled":false}')" $'\n403' || return 1
    has "$(post /v1/users '{"name":"dora","role":"reader","org":"N","password":"seven lakes"}')" $'\n201' && has "$(post /v1/users/chief '{"enabled":false}')" $'\n409'
}

another_password_or_being_shut_out_ends_all_sessions() {
    jar=d1.jar sign_in dora 'seven lakes' && jar=d2.jar sign_in dora 'seven lakes' || return 1
    jar=d2.jar
    has "$(post /v1/session/password '{"old":"eight lakes","new":"nine lakes"}')" $'\n422' 'not the password' && has "$(post /v1/session/password '{"old":"seven lakes","new":"nine lakes"}')" $'\n200' || return 1
    has "$(jar=d1.jar page /v1/session)" $'\n401' && has "$(page /v1/session)" $'\n401' || return 1
    ! sign_in dora 'seven lakes' && has "$said" $'\n401' && sign_in dora 'nine lakes' || return 1
    nilo user change dora --disable > /dev/null && has "$(page /v1/session)" $'\n401' && ! sign_in dora 'nine lakes' && has "$said" $'\n401' || return 1
    nilo user change dora --enable --role billing > /dev/null && sign_in dora 'nine lakes' && has "$said" '"role":"billing"'
}

who_guesses_waits_and_who_knows_is_not_kept_out() {
    local try
    jar=guess.jar
    said=$(post /v1/session '{"name":"nobody","password":"battery staple"}') && has "$said" $'\n401' 'do not fit' || return 1
    for try in {1..5}; do sign_in ben "guess number $try"; has "$said" $'\n401' || return 1; done
    said=$(page /v1/session -i -H 'Content-Type: application/json' -d '{"name":"ben","password":"battery staple"}') && has "$said" '429' 'Retry-After: ' 'try again in' || return 1
    jar=anna.jar sign_in anna 'correct horse' # of the same address, another name
}

hostile_bodies_are_refused_and_nothing_is_kept_of_them() {
    local body
    for body in '' '[]' '{}' '{"name":"anna"}' '{"name":1,"password":2}' '{"name":"anna","password":null}' '{"name":"anna","password":"x","more":1}' '{"name":"a\u0000b","password":"xxxxxxxxx"}'; do
        [[ $(post /v1/session "$body") == *$'\n4'* ]] || return 1
    done
    head -c 5000 /dev/zero | tr '\0' x > long
    [[ $(post /v1/session "{\"name\":\"$(cat long)\",\"password\":\"$(cat long)\"}") == *$'\n422' ]] && exits 0 nilo store check --store store
}

behind_a_proxy_the_address_is_the_one_that_the_proxy_saw() {
    local try jar=proxied.jar
    nilod_stop && nilod_start --virtual-clock 2026-03-03T00:00:00Z --http-behind-proxy || return 1
    for try in {1..5}; do sign_in zoe "guess number $try" -H "X-Forwarded-For: 10.0.0.$try" -H 'X-Forwarded-For: 192.0.2.9' && return 1; has "$said" $'\n401' || return 1; done
    ! sign_in zoe 'guess number 6' -H 'X-Forwarded-For: 10.0.0.6' -H 'X-Forwarded-For: 192.0.2.9' && has "$said" $'\n429' || return 1
    ! sign_in zoe 'guess number 7' -H 'X-Forwarded-For: 10.0.0.7, 192.0.2.9' && has "$said" $'\n429' || return 1
    ! sign_in zoe 'guess number 8' -H 'X-Forwarded-For: 192.0.2.9, 10.0.0.8' && has "$said" $'\n401'
}

nilod_start --virtual-clock 2026-03-01T05:59:00Z
printf 'org\nN\nS\n' | nilo import orgs - > /dev/null
hold people_are_made_with_a_password_that_no_list_shows a_name_and_its_password_make_a_session what_writes_needs_what_only_the_page_knows a_secret_that_the_browser_brought_is_never_made_a_session \
    signing_out_counts_at_once_and_for_that_session_alone a_restart_signs_nobody_out_and_the_clock_does a_unit_sees_its_own_people_and_its_own_points \
    another_password_or_being_shut_out_ends_all_sessions who_guesses_waits_and_who_knows_is_not_kept_out hostile_bodies_are_refused_and_nothing_is_kept_of_them \
    behind_a_proxy_the_address_is_the_one_that_the_proxy_saw
hold_end
