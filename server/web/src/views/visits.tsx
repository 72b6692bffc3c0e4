// Points whose dial somebody has to read, with the cause; marked ones become orders.
import { useState } from 'preact/hooks';
import { all } from '../base/api';
import { useAsk } from '../base/ask';
import { when } from '../base/format';
import { filter, link } from '../base/router';
import { may } from '../base/session';
import { language, named, word } from '../base/words';
import { Badge } from '../parts/badge';
import { Exports } from '../parts/exports';
import { Answer } from '../parts/states';
import { Table, type Column } from '../parts/table';
import type { ViewProps } from '../views';
import { makeOrders } from './many_orders';

interface Visit {
    point: string; account: string | null; address: string | null; phone: string | null; zone: string | null; route: string | null; seq: number | null; serial: string | null;
    causes: { cause: string; text_en: string; text_zh: string }[]; since: string; days: number; last_read_at: string | null; order: string | null;
}
const causes = ['never-read', 'missing', 'estimated-twice', 'unread', 'disputed'];

export default function Visits({ query }: ViewProps) {
    const cause = query.get('cause') ?? '';
    const asked = useAsk((signal) => all<Visit>('/v1/visits', { cause }, 5000, signal), [cause]);
    const [marked, mark] = useState<Set<string>>(new Set());
    const [said, say] = useState<{ tone: string; text: string } | null>(null);
    const [busy, work] = useState(false);
    async function order(rows: Visit[]): Promise<void> {
        work(true);
        const { left, said: news } = await makeOrders(rows.map((v) => ({ kind: 'read', point: v.point, reason: v.causes.map((c) => (language.get() === 'zh' ? c.text_zh : c.text_en)).join(' ').slice(0, 200) })));
        say(news);
        work(false);
        mark(new Set(left));
        asked.again();
    }
    const columns: Column<Visit>[] = [
        { id: 'point', head: word('review.point'), cell: (v) => <a href={link`/points/${v.point}`}>{v.address ?? v.point}</a>, sort: (v) => v.address ?? v.point, text: (v) => `${v.address} ${v.point} ${v.account} ${v.serial}`, priority: 1, width: 'minmax(9rem, 2fr)' },
        { id: 'cause', head: word('visits.cause'), cell: (v) => v.causes.map((c) => <Badge key={c.cause} tone="warn">{named('visit_cause', c.cause)}</Badge>), sort: (v) => v.causes[0]?.cause, priority: 1, width: 'minmax(9rem, 2fr)' },
        { id: 'days', head: word('visits.days'), cell: (v) => v.days, sort: (v) => v.days, end: true, width: '5rem' },
        { id: 'last', head: word('visits.last'), cell: (v) => when(v.last_read_at), sort: (v) => v.last_read_at, priority: 3, width: '9.5rem' },
        { id: 'route', head: word('point.route'), cell: (v) => v.route ?? '–', sort: (v) => `${v.route} ${String(v.seq ?? 0).padStart(6, '0')}` },
        { id: 'phone', head: word('point.phone'), cell: (v) => v.phone ?? '–', priority: 3 },
        { id: 'order', head: word('visits.order'), cell: (v) => (v.order ? <a href={link`/orders/${v.order}`}>{v.order}</a> : '–'), sort: (v) => v.order },
    ];
    return (
        <>
            <div class="head"><h1>{word('visits.title')}</h1><div class="head-end"><Exports path="/v1/visits" query={{ cause }} /></div></div>
            <p class="quiet">{word('visits.about')}</p>
            {said && <div class={`strip ${said.tone}`} role="status">{said.text}</div>}
            <div class="row-of gap-bottom">
                <div class="chips" role="group" aria-label={word('visits.cause')}>
                    <button type="button" aria-pressed={!cause} onClick={() => filter({ cause: null })}>{word('review.all')}</button>
                    {causes.map((c) => <button key={c} type="button" aria-pressed={cause === c} onClick={() => filter({ cause: cause === c ? null : c })}>{named('visit_cause', c)}</button>)}
                </div>
                {may('chief') && marked.size > 0 && <button type="button" class="primary head-end" disabled={busy} onClick={() => void order((asked.data?.rows ?? []).filter((v) => marked.has(v.point) && !v.order))}>{word('visits.make_orders', { n: marked.size })}</button>}
            </div>
            <Answer asked={asked}>{(d) => <Table name={word('visits.title')} columns={columns} rows={d.rows} id={(v) => v.point} marked={may('chief') ? marked : undefined} mark={may('chief') ? mark : undefined} empty={word('visits.none')} more={d.more} />}</Answer>
        </>
    );
}
