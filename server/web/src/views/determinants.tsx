// The figures of a cycle, a page at a time: frozen ones, what closing now would freeze, or what was pulled and never settled.
import { useState } from 'preact/hooks';
import { at, list } from '../base/api';
import { useAsk } from '../base/ask';
import { day, m3, number } from '../base/format';
import { filter, link } from '../base/router';
import { named, word } from '../base/words';
import { StateBadge } from '../parts/badge';
import { Exports } from '../parts/exports';
import { Answer } from '../parts/states';
import { Table, type Column } from '../parts/table';

interface Determinant {
    point: string; account: string | null; from: string; to: string; start_index_l: number | null; end_index_l: number | null; consumption_l: number | null;
    billed_m3: number | null; days: number; quality: string; method: string | null; checks: string[]; why: string | null;
}
const PAGE = 2000;

export function Determinants({ cycle, path, query }: { cycle: string; path: 'determinants' | 'preview' | 'unsettled'; query: URLSearchParams }) {
    const quality = path === 'unsettled' ? '' : (query.get('quality') ?? '');
    const [pages, turn] = useState<string[]>([]); // cursors of the pages before this one, the newest last
    const after = pages[pages.length - 1] ?? '';
    const asked = useAsk((signal) => list<Determinant>(`${at`/v1/cycles/${cycle}`}/${path}`, { quality, limit: PAGE, after }, signal), [cycle, path, quality, after]);
    const columns: Column<Determinant>[] = [
        { id: 'point', head: word('review.point'), cell: (d) => <a href={link`/points/${d.point}`}>{d.point}</a>, sort: (d) => d.point, priority: 1 },
        { id: 'account', head: word('determinants.account'), cell: (d) => d.account ?? '–', sort: (d) => d.account, priority: 3 },
        { id: 'start', head: word('determinants.start'), cell: (d) => m3(d.start_index_l), sort: (d) => d.start_index_l, end: true, priority: 3 },
        { id: 'end', head: word('determinants.end'), cell: (d) => m3(d.end_index_l), sort: (d) => d.end_index_l, end: true, priority: 3 },
        { id: 'use', head: word('cycles.use'), cell: (d) => m3(d.consumption_l), sort: (d) => d.consumption_l, end: true },
        { id: 'billed', head: word('cycles.billed'), cell: (d) => number(d.billed_m3), sort: (d) => d.billed_m3, end: true, priority: 1 },
        { id: 'quality', head: word('review.quality'), cell: (d) => <StateBadge section="quality" value={d.quality} />, sort: (d) => d.quality, width: '8rem' },
        { id: 'checks', head: word('determinants.checks'), cell: (d) => (d.why ? named('missing_why', d.why) : d.checks.map((c) => named('check', c)).join(', ')), sort: (d) => d.why ?? d.checks[0], priority: 3 },
        { id: 'to', head: word('cycles.to'), cell: (d) => day(d.to), sort: (d) => d.to, priority: 3, width: '7rem' },
    ];
    return (
        <>
            <div class="row-of gap-bottom">
                {path !== 'unsettled' && (
                    <div class="chips" role="group" aria-label={word('review.quality')}>
                        <button type="button" aria-pressed={!quality} onClick={() => { turn([]); filter({ quality: null }); }}>{word('review.all')}</button>
                        {['actual', 'edited', 'estimated', 'missing'].map((q) => <button key={q} type="button" aria-pressed={quality === q} onClick={() => { turn([]); filter({ quality: q }); }}>{named('quality', q)}</button>)}
                    </div>
                )}
                <span class="head-end"><Exports path={`${at`/v1/cycles/${cycle}`}/${path}`} query={{ quality }} /></span>
            </div>
            {path !== 'determinants' && <p class="quiet">{word(path === 'preview' ? 'determinants.preview_about' : 'determinants.unsettled_about')}</p>}
            <Answer asked={asked}>{(d) => (
                <>
                    <Table name={word(path === 'unsettled' ? 'cycle.tab_unsettled' : 'cycle.tab_figures')} columns={columns} rows={d.rows} id={(r) => r.point} empty={word(path === 'unsettled' ? 'determinants.all_settled' : 'determinants.none')} more={!!d.next} />
                    {(pages.length > 0 || d.next) && (
                        <div class="row-of gap-top">
                            <button type="button" disabled={!pages.length} onClick={() => turn(pages.slice(0, -1))}>{word('determinants.before')}</button>
                            <button type="button" disabled={!d.next} onClick={() => turn([...pages, d.next!])}>{word('determinants.after')}</button>
                        </div>
                    )}
                </>
            )}</Answer>
        </>
    );
}
