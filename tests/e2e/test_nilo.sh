#!/usr/bin/env bash
# Every command of nilo against a real nilod. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

# ---- what is asked of an answer ----

json() { printf '%s' "$1" | grep -oE "\"$2\":(\"[^\"]*\"|[^,}]*)" | head -1 | sed -E 's/^"[^"]*"://; s/^"(.*)"$/\1/'; }
rows() { printf '%s\n' "$1" | tail -1; }

# ---- claims ----

files() {
    printf 'org,name,level\nB-1,North,branch\n' > orgs.csv
    printf 'zone,name,mains_km\nZ-1,北区,12.5\n' > zones.csv
    printf 'route,org,reader,days,name\nR-1,B-1,王芳,1-5,北一册\n' > routes.csv
    printf 'serial,dn,q3,model\n10000017,15,2.5,LXS-15\n10000018,20,4,\n' > meters.csv
    printf '{"point":"P-1","zone":"Z-1","route":"R-1","route_seq":1,"use_class":"residential","address":"杭州路 1 号, 2 单元"}\n{"point":"P-2","zone":"Z-1","route":"R-1","route_seq":2}\n' > points.ndjson
    printf 'point,serial,from,start_index_l\nP-1,10000017,2026-03-01T00:00:00+08:00,0\nP-2,10000018,2026-03-01T00:00:00+08:00,500\n' > fittings.csv
    {
        echo serial,time,index_l
        for day in 01 02 03 04 05; do
            for hour in 00 06 12 18; do echo "10000017,2026-03-${day} $hour:00,$(((10#$day - 1) * 400 + 10#$hour * 10))"; done
        done
    } > readings.csv
}

a_register_comes_in_and_the_same_file_again_changes_nothing() {
    local list file
    for file in orgs.csv zones.csv routes.csv meters.csv points.ndjson fittings.csv readings.csv; do
        list=${file%.*}
        exits 0 nilo import "$list" "$file" || return 1
        is 0 "$(json "$said" refused)" || return 1
    done
    exits 0 nilo import meters meters.csv --format ndjson && is 0 "$(json "$said" written)" && is 2 "$(json "$said" unchanged)" || return 1
    exits 0 nilo import meters - --format table < meters.csv && has "$said" "meters: 2 rows; 0 written, 2 unchanged, 0 refused"
}

a_files_control_characters_do_not_reach_the_terminal() {
    printf 'serial,dn,q3\n\033[2Jx,15,2.5\n' > rude.csv
    exits 1 nilo import meters rude.csv && has "$said" '?[2Jx' && [[ $said != *$'\033'* ]]
}

what_cannot_be_read_to_its_end_is_no_file() {
    mkdir -p folder
    exits 1 nilo import meters folder && has "$said" "folder cannot be read: Is a directory"
}

a_token_file_that_is_named_empty_is_none() {
    NILO_TOKEN_FILE='' exits 1 nilo meter list && has "$said" "--token-file or NILO_TOKEN_FILE" && [[ $said != *"cannot be read"* ]]
}

a_command_that_is_none_is_told_with_where_the_others_stand() {
    exits 2 nilo frobnicate && has "$said" "no command 'frobnicate'; nilo help lists" || return 1
    exits 2 nilo meter frobnicate && has "$said" "no command 'meter frobnicate'; nilo help meter lists"
}

help_stands_in_two_columns_whatever_bytes_a_letter_takes() {
    exits 0 nilo help tour plan && has "$said" "  --kinds KIND,…           only orders" "  --zone ZONE              only orders"
}

an_empty_argument_asks_for_nothing() {
    exits 2 nilo meter show '' && has "$said" "empty"
}

a_copy_that_is_not_there_is_named() {
    exits 1 nilo store restore --from no-such-copy --store restored && has "$said" "no-such-copy"
}

a_refused_row_is_told_with_line_and_column_and_nothing_is_written() {
    printf 'serial,dn,q3\n10000019,15,2.5\n10000020,fifteen,2.5\n' > wrong.csv
    exits 1 nilo import meters wrong.csv && has "$said" "wrong.csv:3: dn: expected" "fifteen" "--keep-going" || return 1
    exits 1 nilo meter show 10000019 || return 1
    exits 0 nilo import meters wrong.csv --dry-run --keep-going && exits 1 nilo meter show 10000019 || return 1
    exits 0 nilo import meters wrong.csv --keep-going && has "$said" "wrong.csv:3:" && exits 0 nilo meter show 10000019
}

an_unknown_column_is_named() {
    printf 'serial,dn,q3,colour\n1,15,2.5,red\n' > wrong.csv
    exits 1 nilo import meters wrong.csv && has "$said" "wrong.csv:1: expected one of the columns serial, model" "state, life_months, found colour" &&
        has "$said" "the header is refused" || return 1
    printf 'serial,dn\n1,15\n' > wrong.csv
    exits 1 nilo import meters wrong.csv && has "$said" "wrong.csv:1: q3: expected the required columns q3, found a header without them"
}

a_table_shows_the_utility_s_civil_time_and_ndjson_utc() {
    local span="--from 2026-03-01T00:00:00+08:00 --to 2026-03-02T00:00:00+08:00"
    # shellcheck disable=SC2086
    exits 0 nilo consumption P-1 $span --format table && has "$said" "2026-03-01T00:00:00+08:00" "2026-03-02T00:00:00+08:00" || return 1
    # shellcheck disable=SC2086
    exits 0 nilo reading list 10000017 $span --format table && has "$said" "2026-03-01T06:00:00+08:00" || return 1
    # shellcheck disable=SC2086
    exits 0 nilo reading list 10000017 $span --format ndjson && has "$said" "2026-02-28T22:00:00Z"
}

what_an_import_takes_is_told_without_a_server() {
    exits 0 nilo help import && has "$said" "serial* model dn* q3*" "serial* time* index_l*" "--times-in" &&
        exits 0 nilo import --help && has "$said" "point* serial* from*"
}

a_refused_list_is_no_empty_table() {
    exits 1 nilo reading list 10000017 --from yesterday --to 2026-03-03 --format table &&
        is "nilo: from: found yesterday, expected a time with offset like 2026-03-01T00:00:00+08:00 (HTTP 422)" "$said" || return 1
    exits 1 nilo command list nobody --format json && is 'nilo: serial nobody: nobody registered it (HTTP 404)' "$said"
}

all_missing_facts_stand_in_the_field() {
    has "$(curl -s -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -H 'Content-Type: application/json' -d '{}' "$NILO_SERVER/v1/exchanges")" \
        '"field":"point, old_serial, old_index_l, new_serial, new_index_l, reason"'
}

a_wrong_option_of_the_server_is_named_as_it_was_written() {
    exits 2 nilod --store other --retention-days soon && is "nilod: --retention-days: expected a whole number from 0 to 1000000000, found soon" "$said" || return 1
    printf '# ours\ncolour = red\nretention-days = 90\n' > other.conf
    exits 2 nilod --store other --config other.conf && is "nilod: other.conf: line 2: colour: no such option; see nilod --help" "$said" || return 1
    exits 2 nilod --store other --config absent.conf && has "$said" "absent.conf: cannot be read: No such file" || return 1
    exits 1 nilod --store other --coap 127.0.0.1:0 --coaps off --http "${NILO_SERVER#http://}" && has "$said" "cannot listen on ${NILO_SERVER#http://}: " "choose another port"
}

wrong_usage_is_two() {
    exits 2 nilo && exits 2 nilo import gauges x && exits 2 nilo meter && exits 2 nilo reading list 10000017 &&
        exits 2 nilo meter list --format xml && exits 2 nilo flag confirm x && exits 2 nilo completion fish
}

what_does_not_exist_is_one_with_a_sentence() {
    exits 1 nilo meter show nobody && has "$said" "nilo: " nobody || return 1
    exits 1 nilo import meters absent.csv && has "$said" "absent.csv" || return 1
    exits 1 nilo --server http://127.0.0.1:9 settle && has "$said" "no nilod answers at http://127.0.0.1:9" || return 1
    exits 1 nilo --token-file absent.token settle && has "$said" absent.token
}

without_a_token_nothing_is_told() {
    echo not-a-token > wrong.token
    exits 1 env -u NILO_TOKEN_FILE nilo meter list && has "$said" "--token-file" || return 1
    exits 1 nilo meter list --token-file wrong.token && has "$said" "--token-file"
}

lists_come_as_table_json_ndjson_and_csv() {
    exits 0 nilo meter list && is '{"end":true,"rows":3}' "$(rows "$said")" && has "$said" '"serial":"10000017"' || return 1
    exits 0 nilo meter list --format csv && has "$said" serial 10000018 && is 4 "$(wc -l <<< "$said")" || return 1
    exits 0 nilo meter list --format json && has "$said" '{"rows":[' '],"next":null}' || return 1
    exits 0 nilo meter list --format json --limit 1 && has "$said" 10000017 '"next":"' || return 1
    exits 0 nilo meter list --format json --limit 1 --after "$(json "$said" next)" && has "$said" 10000018 || return 1
    exits 0 nilo point list --format table && has "$said" "P-1" "杭州路 1 号, 2 单元" && is 3 "$(wc -l <<< "$said")" || return 1
    exits 0 nilo point list --format csv --show address,serial && is '"杭州路 1 号, 2 单元",10000017' "$(sed -n 2p <<< "$said")" || return 1
    exits 0 env LANG=zh_CN.UTF-8 nilo point list --format table && has "$said" 用水点 地址
}

the_register_is_shown() {
    exits 0 nilo meter show 10000017 && is running "$(json "$said" state)" && is P-1 "$(json "$said" point)" || return 1
    exits 0 nilo point show P-1 --format table && has "$said" 10000017 || return 1
    exits 0 nilo zone list && has "$said" 北区 && exits 0 nilo zone show Z-1 && has "$said" 12.5 || return 1
    exits 0 nilo route list && has "$said" 王芳 || return 1
    exits 0 nilo fitting list --point P-1 && is '{"end":true,"rows":1}' "$(rows "$said")" &&
        exits 0 nilo fitting list && is '{"end":true,"rows":2}' "$(rows "$said")" || return 1
    exits 0 nilo meter list --state issued && is '{"end":true,"rows":0}' "$(rows "$said")"
}

readings_and_consumption_are_told() {
    exits 0 nilo settle || return 1
    exits 0 nilo reading list 10000017 --from 2026-03-02T00:00:00+08:00 --to 2026-03-03T00:00:00+08:00 &&
        is '{"end":true,"rows":4}' "$(rows "$said")" && has "$said" '"index_l":400' || return 1
    exits 0 nilo consumption P-1 --from 2026-03-01T00:00:00+08:00 --to 2026-03-05T00:00:00+08:00 &&
        is 1600 "$(json "$said" consumption_l)" || return 1
    exits 0 nilo consumption P-1 --from 2026-03-01T00:00:00+08:00 --to 2026-03-05T00:00:00+08:00 --step day &&
        is '{"end":true,"rows":4}' "$(rows "$said")"
}

reports_over_coap_arrive_and_a_second_replay_changes_nothing() {
    {
        echo meter,when,litres
        for day in 06 07 08; do
            for hour in 00 03 06 09 12 15 18 21; do echo "R$((10#$hour % 2))-$day,2026-03-$day $hour:00:00,$((10#$day * 1000 + 10#$hour))"; done
        done
    } > replay.csv
    local from=2026-03-01T00:00:00Z to=2026-04-01T00:00:00Z
    exits 0 nilo sim replay replay.csv --register --columns serial=meter,time=when,index_l=litres --coap "$coap" &&
        is 24 "$(json "$said" rows)" && is "$(json "$said" reports)" "$(json "$said" acked)" || return 1
    exits 0 nilo reading list R0-06 --from $from --to $to && is '{"end":true,"rows":4}' "$(rows "$said")" || return 1
    exits 0 nilo sim replay - --columns serial=meter,time=when,index_l=litres --coap "$coap" < replay.csv || return 1
    exits 0 nilo reading list R0-06 --from $from --to $to && is '{"end":true,"rows":4}' "$(rows "$said")"
}

a_frame_of_an_unknown_meter_waits_and_comes_when_it_is_registered() {
    printf 'serial,time,index_l\nlater,2026-03-09 00:00,77\n' > later.csv
    exits 0 nilo sim replay later.csv --coap "$coap" && exits 0 nilo quarantine list && has "$said" later || return 1
    printf 'serial,dn,q3\nlater,15,2.5\n' > later-meters.csv
    exits 0 nilo import meters later-meters.csv && exits 0 nilo quarantine retry && exits 0 nilo settle || return 1
    exits 0 nilo quarantine list && is '{"end":true,"rows":0}' "$(rows "$said")" || return 1
    exits 0 nilo reading list later --from 2026-03-01T00:00:00Z --to 2026-04-01T00:00:00Z && has "$said" '"index_l":77'
}

the_clock_goes_forward_only() {
    exits 0 nilo clock set 2026-03-20T00:00:00+08:00 && exits 0 nilo clock show && has "$said" 2026-03-19T16:00:00Z || return 1
    exits 1 nilo clock set 2026-03-19T00:00:00+08:00 && exits 1 nilo clock set tomorrow
}

a_token_is_printed_alone_and_opens_what_its_role_may() {
    exits 0 nilo token create --role viewer --name hall && is 1 "$(wc -w <<< "$said")" || return 1
    printf '%s\n' "$said" > viewer.token
    exits 0 nilo meter list --token-file viewer.token || return 1
    exits 1 nilo import meters meters.csv --token-file viewer.token && has "$said" viewer || return 1
    exits 0 nilo token create --role crew --name van --format json && has "$said" '"token":' || return 1
    exits 1 nilo token create --role king --name x
}

a_flag_is_listed_and_decided() {
    {
        echo serial,time,index_l
        local hour index=0
        for ((hour = 0; hour < 24 * 70; hour++)); do
            ((hour < 24 * 40 && hour % 24 > 5)) && ((index += (hour * 7919) % 31))
            echo "stuck,$((1768003200 + hour * 3600)),$index"
        done | awk -F, '{ printf "%s,%s,%s\n", $1, strftime("%Y-%m-%dT%H:%M:%SZ", $2, 1), $3 }'
    } > stuck.csv
    exits 0 nilo sim replay stuck.csv --register --coap "$coap" && exits 0 nilo flag list --kind stuck --state open && has "$said" '"serial":"stuck"' || return 1
    local id
    id=$(json "$said" id)
    exits 0 nilo flag list --format table && has "$said" "$id" || return 1
    exits 0 nilo replacement list --format table && has "$said" stuck || return 1
    exits 1 nilo flag confirm no-such-flag --note x || return 1
    exits 0 nilo flag confirm "$id" --note "register jammed" && exits 0 nilo flag list --state confirmed && has "$said" "$id" || return 1
    exits 0 nilo flag dismiss "$id" --note "a mistake" && exits 0 nilo flag list --state dismissed && has "$said" "$id"
}

a_town_is_the_same_for_the_same_seed_and_can_be_imported() {
    exits 0 nilo sim town town --meters 5 --days 3 --seed 7 && is 5 "$(json "$said" meters)" || return 1
    exits 0 nilo sim town again --meters 5 --days 3 --seed 7 && exits 0 diff -r town again || return 1
    exits 0 nilo sim town other --meters 5 --days 3 --seed 8 && exits 1 diff -rq town other || return 1
    local list
    for list in orgs zones routes meters points fittings; do exits 0 nilo import "$list" "town/$list.csv" || return 1; done
    exits 0 nilo sim replay town/readings.csv --coap "$coap" && is "$(json "$said" reports)" "$(json "$said" acked)" &&
        is "$(($(wc -l < town/readings.csv) - 1))" "$(json "$said" rows)"
}

load_is_counted() {
    exits 0 nilo sim load --coap "$coap" --meters 7 --reports 200 --register && is 200 "$(json "$said" acked)"
}

a_frame_is_explained_without_a_server() {
    exits 0 env NILO_SERVER=http://127.0.0.1:9 nilo frame explain 0a024131 && has "$said" A1 || return 1
    exits 0 nilo frame explain 0a024131 --format json && has "$said" '"' && exits 0 nilo frame explain - <<< '0a 02 41 31' || return 1
    exits 1 nilo frame explain 0a02 && exits 1 nilo frame explain xyz && exits 2 nilo frame explain 0a --dialect klingon || return 1
    exits 0 nilo frame explain 0a024131 --format ndjson && is 1 "$(wc -l <<< "$said")" && exits 2 nilo frame explain 0a024131 --format csv || return 1
    # A frame that nobody takes is refused in the words of the dialect that its first bytes are of.
    exits 1 nilo frame explain 681045230100000033 && has "$said" "read as cjt188" "byte 9, length: expected" || return 1
    exits 1 nilo frame explain 21442c39010026201b077a && has "$said" "read as oms" || return 1
    exits 1 nilo frame explain '{"deviceInfo":{"devEui":"70b3"}}' && has "$said" "read as chirpstack" "deviceInfo.devEui" || return 1
    exits 1 nilo frame explain - < <(printf '{%70000s}' '') && has "$said" "longer than 65536 bytes" || return 1
}

a_brand_is_added_by_its_file() {
    local file=$source/proto/recipes/rd-w10.recipe
    exits 0 env NILO_SERVER=http://127.0.0.1:9 nilo recipe test "$file" && has "$said" "ok  12.345678 cubic metres" "total" || return 1
    sed 's/^recipe .*/recipe mine/; s/12345.678 L/12345 L/' "$file" > mine.recipe
    exits 1 nilo recipe test mine.recipe && has "$said" "'gives 12345 L at 2026-02-28T18:30:00Z' did not come out" || return 1
    exits 1 nilo recipe add mine.recipe && has "$said" "did not come out" || return 1
    sed -i 's/12345 L/12345.678 L/' mine.recipe
    exits 0 nilo recipe add mine.recipe && is 1 "$(json "$said" version)" && is true "$(json "$said" added)" || return 1
    exits 0 nilo recipe add - < mine.recipe && is false "$(json "$said" added)" || return 1
    exits 0 nilo recipe list && has "$said" '"name":"mine"' '"name":"kingda-bc95"' || return 1
    exits 0 nilo recipe show mine && is "$(cat mine.recipe)" "$said" || return 1
    exits 1 nilo recipe show nothing && has "$said" nothing || return 1
    echo volume u9 > broken.recipe
    exits 1 nilo recipe test broken.recipe && has "$said" "broken.recipe: line 1, column 8: expected a form" || return 1
    exits 1 nilo recipe test absent.recipe && exits 2 nilo recipe test
}

a_command_waits_for_its_meter_and_for_a_second_person() {
    local id
    exits 0 nilo command send 10000017 report_every 3600 && is queued "$(json "$said" state)" && id=$(json "$said" id) || return 1
    exits 0 nilo command list 10000017 && has "$said" '"what":"report_every"' '"state":"queued"' || return 1
    exits 0 nilo command cancel 10000017 "$id" && is failed "$(json "$said" state)" || return 1
    exits 1 nilo command cancel 10000017 "$id" && has "$said" ended || return 1
    exits 0 nilo command send 10000017 history --from 2026-03-01T00:00:00Z --to 2026-03-02T00:00:00Z || return 1
    exits 0 nilo command send 10000017 valve close && id=$(json "$said" id) && exits 1 nilo command approve 10000017 "$id" && has "$said" "second person" || return 1
    exits 0 nilo command list 10000017 --state queued && has "$said" '"open":false' || return 1
    exits 2 nilo command send 10000017 valve && exits 2 nilo command send 10000017 step soon && exits 1 nilo command send 10000017 step 1 && has "$said" step_s || return 1
    exits 1 nilo command send 10000017 time --expires 2020-01-01T00:00:00Z && has "$said" expires || return 1
    exits 1 nilo command send nobody time && has "$said" nobody
}

completions_and_help_name_every_command() {
    exits 0 nilo completion bash && has "$said" "complete -o filenames -F _nilo nilo" "replacement" && bash -n <<< "$said" || return 1
    exits 0 bash -c 'eval "$(nilo completion bash)"; COMP_WORDS=(nilo flag co); COMP_CWORD=2; _nilo; echo "${COMPREPLY[@]}"' && is confirm "$said" || return 1
    exits 0 bash -c 'eval "$(nilo completion bash)"; COMP_WORDS=(nilo import meters --dry); COMP_CWORD=3; _nilo; echo "${COMPREPLY[@]}"' && is --dry-run "$said" || return 1
    exits 0 bash -c 'eval "$(nilo completion bash)"; COMP_WORDS=(nilo import me); COMP_CWORD=2; _nilo; echo "${COMPREPLY[@]}"' && is meters "$said" || return 1
    exits 0 bash -c 'eval "$(nilo completion bash)"; COMP_WORDS=(nilo import meters mete); COMP_CWORD=3; _nilo; echo "${COMPREPLY[@]}"' && is meters.csv "$said" || return 1
    exits 0 bash -c 'eval "$(nilo completion bash)"; COMP_WORDS=(nilo --server URL meter list --format nd); COMP_CWORD=6; _nilo; echo "${COMPREPLY[@]}"' && is ndjson "$said" || return 1
    exits 0 bash -c 'eval "$(nilo completion bash)"; COMP_WORDS=(nilo --server URL meter sh); COMP_CWORD=4; _nilo; echo "${COMPREPLY[@]}"' && is show "$said" || return 1
    exits 0 nilo completion zsh && has "$said" "#compdef nilo" || return 1
    exits 0 nilo help && has "$said" "flag confirm" "store rebuild" && exits 0 nilo help flag && has "$said" "flag dismiss" || return 1
    exits 0 nilo help import meters && has "$said" "usage: nilo import" && exits 2 nilo help importer meters || return 1
    exits 0 nilo --version && has "$said" "nilo "
}

what_is_mistaken_for_another_is_named() {
    exits 1 nilo import meters . && has "$said" ". cannot be read: Is a directory" || return 1
    exits 1 nilo --server "${NILO_SERVER/http:/https:}" meter list && has "$said" "is it http:// in place of https://?" || return 1
    exits 1 nilo meter list --limit -3 --format csv && has "$said" "limit: found -3, expected a whole number from 1 on" || return 1
    NILO_TOKEN_FILE='' exits 1 nilo meter list && has "$said" "expected Bearer and a token"
}

a_store_is_checked_copied_and_rebuilt() {
    local before now
    exits 0 nilo clock show && now=$(json "$said" now) && exits 0 nilo flag list && before=$said || return 1
    exits 0 nilo store check --store store && has "$said" '"sound":true' && exits 0 nilo store stat --store store && has "$said" '"meters":' || return 1
    exits 0 nilo store backup --store store --to backup && exits 1 nilo store backup --store store --to backup || return 1
    exits 1 nilo store rebuild --store store && has "$said" "$nilod" || return 1
    nilod_stop || return 1
    exits 0 nilo store rebuild --store store --virtual-clock "$now" && exits 1 nilo store rebuild --store absent || return 1
    exits 0 nilo store rebuild --store store --virtual-clock "$now" --difference differ.csv && is 'serial,channel,time,index_l,change' "$(cat differ.csv)" || return 1
    exits 2 nilo store rebuild --store store --accept && has "$said" --tz || return 1
    exits 0 nilo store rebuild --store store --accept --tz Asia/Shanghai --virtual-clock "$now" || return 1
    exits 1 nilo store rebuild --store store --virtual-clock "$now" --difference store/ledger.mdb && has "$said" store/ledger.mdb 'File exists' || return 1
    exits 0 nilo store check --store store || return 1
    exits 0 nilo store restore --from backup --store restored && exits 0 nilo store check --store restored || return 1
    rm restored/store
    exits 1 timeout 20 nilod --store restored --coap 127.0.0.1:0 --coaps off --http 127.0.0.1:0 && has "$said" "restored/store: is missing" || return 1
    exits 1 nilo store check --store restored && has "$said" "restored/store: is missing" || return 1
    # What is said where nobody listens goes nowhere, and not into a file of the store.
    cp -r backup mute
    timeout 2 nilod --store mute --coap 127.0.0.1:0 --coaps off --http 127.0.0.1:0 <&- >&- 2>&-
    (! grep -ql '^ready coap' -r mute) || { echo '      the ready line stands in the store'; return 1; }
    exits 0 nilo store check --store mute || return 1
    # Pages that point out of the file: a sentence, and no death by a signal.
    echo 'nilometer store 1' > restored/store
    local bytes page
    bytes=$(stat -c %s restored/ledger.mdb)
    for ((page = 2; page < bytes / 4096; page++)); do
        head -c 4080 /dev/zero | tr '\0' '\377' | dd of=restored/ledger.mdb bs=1 seek=$((page * 4096 + 16)) conv=notrunc status=none
    done
    exits 1 nilo store check --store restored && has "$said" "restored/ledger.mdb" || return 1
    nilod_start --virtual-clock "$now" # the last rebuild was refused and left no views: they are made anew
    exits 0 nilo settle && exits 0 nilo flag list && is "$before" "$said"
}

# ---- running ----

files
nilod_start --virtual-clock 2026-03-06T00:00:00+08:00
claims=$(sed -nE 's/^([a-z_]+_[a-z_]+)\(\) \{$/\1/p' "$source/tests/e2e/test_nilo.sh" | grep -v '^nilod_')
hold $claims
hold_end
