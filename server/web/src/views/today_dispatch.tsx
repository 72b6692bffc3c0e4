// The dispatcher's day: what is wrong now, the newest first.
import { useCallback } from 'preact/hooks';
import { list } from '../base/api';
import { useAsk } from '../base/ask';
import { ago, m3 } from '../base/format';
import { useLive } from '../base/live';
import { language, named, word } from '../base/words';
import { StateBadge } from '../parts/badge';
import { Answer } from '../parts/states';
import { Table, type Column } from '../parts/table';

interface Flag { id: string; kind: string; serial: string | null; point: string | null; raised_at: string; severity: string; lost_lpd: number | null; text_en: string; text_zh: string }

export default function TodayDispatch() {
    const asked = useAsk((signal) => list<Flag>('/v1/flags', { state: 'open', limit: 1000 }, signal), []);
    useLive(['flag'], useCallback(() => asked.again(), []));
    const columns: Column<Flag>[] = [
        { id: 'kind', head: word('today.kind'), cell: (f) => named('kind', f.kind), sort: (f) => named('kind', f.kind), priority: 1, width: 'minmax(7rem, 10rem)' },
        { id: 'severity', head: word('today.severity'), cell: (f) => <StateBadge section="severity" value={f.severity} />, sort: (f) => ['urgent', 'high', 'medium', 'low'].indexOf(f.severity), width: '8rem' },
        { id: 'point', head: word('today.point'), cell: (f) => f.point ?? '–', sort: (f) => f.point, priority: 1 },
        { id: 'serial', head: word('today.serial'), cell: (f) => f.serial ?? '–', sort: (f) => f.serial },
        { id: 'lost', head: word('today.lost'), cell: (f) => m3(f.lost_lpd), sort: (f) => f.lost_lpd, end: true },
        { id: 'raised', head: word('today.raised'), cell: (f) => ago(f.raised_at), sort: (f) => f.raised_at, priority: 2 },
        { id: 'text', head: word('today.text'), cell: (f) => (language.get() === 'zh' ? f.text_zh : f.text_en), width: 'minmax(12rem, 3fr)', priority: 3 },
    ];
    return (
        <>
            <h1>{word('today.title')}</h1>
            <section aria-labelledby="open-flags">
                <h2 id="open-flags">{word('today.open_flags')}</h2>
                <Answer asked={asked}>{(data) => <Table name={word('today.open_flags')} columns={columns} rows={data.rows} id={(f) => f.id} sorted={['raised', false]} empty={word('today.no_flags')} more={!!data.next} />}</Answer>
            </section>
        </>
    );
}
