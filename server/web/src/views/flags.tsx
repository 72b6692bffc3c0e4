// The queue of flags: by kind and by what is lost, with the one that one stands on beside it.
import { useCallback, useMemo, useState } from 'preact/hooks';
import { all } from '../base/api';
import { useAsk } from '../base/ask';
import { ago, m3, percent } from '../base/format';
import { useLive } from '../base/live';
import { filter, link } from '../base/router';
import { named, word } from '../base/words';
import { StateBadge } from '../parts/badge';
import { Exports } from '../parts/exports';
import { Answer } from '../parts/states';
import { Table, type Column } from '../parts/table';
import type { ViewProps } from '../views';
import type { Flag } from './evidence';
import { FlagCard } from './flag_card';

const LOADED_MOST = 20000;
const states = ['open', 'confirmed', 'dismissed', 'cleared', 'withdrawn'] as const;

export default function Flags({ query }: ViewProps) {
    const state = query.get('state') ?? 'open', kind = query.get('kind') ?? '';
    const asked = useAsk((signal) => all<Flag>('/v1/flags', { state }, LOADED_MOST, signal), [state]);
    useLive(['flag'], useCallback(() => asked.again(), []));
    const [here, stand] = useState<Flag | undefined>();
    const kinds = useMemo(() => {
        const n = new Map<string, { count: number; lost: number }>();
        for (const f of asked.data?.rows ?? []) {
            const k = n.get(f.kind) ?? { count: 0, lost: 0 };
            n.set(f.kind, { count: k.count + 1, lost: k.lost + (f.lost_lpd ?? 0) });
        }
        return [...n].sort((a, b) => b[1].lost - a[1].lost || b[1].count - a[1].count);
    }, [asked.data]);
    const rows = useMemo(() => (asked.data?.rows ?? []).filter((f) => !kind || f.kind === kind), [asked.data, kind]);
    const columns: Column<Flag>[] = [
        { id: 'kind', head: word('flags.kind'), cell: (f) => <a href={link`/flags/${f.id}`}>{named('kind', f.kind)}</a>, sort: (f) => named('kind', f.kind), text: (f) => `${named('kind', f.kind)} ${f.text_en} ${f.text_zh}`, priority: 1, width: 'minmax(7rem, 1.2fr)' },
        { id: 'where', head: word('flags.where'), cell: (f) => f.point ?? f.zone ?? f.cell ?? '–', sort: (f) => f.point ?? f.zone ?? f.cell, text: (f) => `${f.point} ${f.serial} ${f.zone} ${f.cell}`, priority: 1, width: 'minmax(7rem, 1fr)' },
        { id: 'severity', head: word('flags.severity'), cell: (f) => <StateBadge section="severity" value={f.severity} />, sort: (f) => ['low', 'medium', 'high', 'urgent'].indexOf(f.severity), width: '7rem', priority: 2 },
        { id: 'lost', head: word('flags.lost'), cell: (f) => (f.lost_lpd ? m3(f.lost_lpd) : '–'), sort: (f) => f.lost_lpd, end: true, width: '7rem', priority: 1 },
        { id: 'sure', head: word('flags.sure'), cell: (f) => percent(f.confidence, 0), sort: (f) => f.confidence, end: true, width: '5.5rem', priority: 3 },
        { id: 'since', head: word('flags.since'), cell: (f) => ago(f.onset), sort: (f) => f.onset, width: '7.5rem', priority: 2 },
    ];
    return (
        <>
            <div class="head">
                <h1>{word('flags.title')}</h1>
                <div class="chips" role="group" aria-label={word('flags.state')}>{states.map((s) => <button key={s} type="button" aria-pressed={state === s} onClick={() => filter({ state: s === 'open' ? null : s, kind: null })}>{named('flag_state', s)}</button>)}</div>
                <div class="head-end"><Exports path="/v1/flags" query={{ state, kind }} /></div>
            </div>
            <Answer asked={asked}>{(d) => (
                <>
                    <div class="chips noprint" role="group" aria-label={word('flags.kind')}>
                        <button type="button" aria-pressed={!kind} onClick={() => filter({ kind: null })}>{word('flags.all')} {d.rows.length}</button>
                        {kinds.map(([k, n]) => <button key={k} type="button" aria-pressed={kind === k} onClick={() => filter({ kind: kind === k ? null : k })}>{named('kind', k)} {n.count}{n.lost > 0 && <span class="small"> · {m3(n.lost, 1)} m³/d</span>}</button>)}
                    </div>
                    <div class="cols gap-top">
                        <div class="w7"><Table name={word('flags.title')} columns={columns} rows={rows} id={(f) => f.id} active={stand} open={(f) => (location.hash = link`/flags/${f.id}`)} sorted={['lost', false]} more={d.more} empty={word('flags.none')}
                            tone={(f) => (f.severity === 'urgent' || f.severity === 'high' ? 'bad' : f.severity === 'medium' ? 'warn' : '')} /></div>
                        <div class="w5 beside">{here && <FlagCard key={here.id} flag={here} changed={asked.again} brief />}</div>
                    </div>
                </>
            )}</Answer>
        </>
    );
}
