// What a person should look at before it is billed, by reason; let pass singly, marked, or all of a reason within bounds.
import { useState } from 'preact/hooks';
import { all, at, post } from '../base/api';
import { useAsk } from '../base/ask';
import { day, m3, number } from '../base/format';
import { filter, link } from '../base/router';
import { may } from '../base/session';
import { language, named, word } from '../base/words';
import { Badge, StateBadge } from '../parts/badge';
import { Dialog } from '../parts/dialog';
import { Exports } from '../parts/exports';
import { Field, Form, litres, useForm } from '../parts/form';
import { Answer } from '../parts/states';
import { Table, type Column } from '../parts/table';
import { Reckoned } from './reckoned';

export interface ReviewRow {
    point: string; account: string | null; from: string; to: string; reasons: { reason: string; text_en: string; text_zh: string }[];
    consumption_l: number | null; billed_m3: number | null; days: number; quality: string; method: string | null; median_l: number | null;
    exchanged_at: string | null; old_serial: string | null; new_serial: string | null; flags_open: number; accepted: boolean; accepted_by: string | null; note: string | null;
}
interface Accepted { accepted: number; already: number; passed_over: number; next: string | null }

const SHOWN_MOST = 5000;
const said = (r: ReviewRow) => r.reasons.map((x) => (language.get() === 'zh' ? x.text_zh : x.text_en)).join(' ');

async function passAll(cycle: string, wish: object, key: string): Promise<number> {
    let accepted = 0, after: string | null = null, n = 0;
    do {
        const a: Accepted = await post<Accepted>(at`/v1/cycles/${cycle}/accept`, { ...wish, ...(after ? { after } : {}) }, `${key}-${n++}`);
        accepted += a.accepted;
        after = a.next;
    } while (after);
    return accepted;
}

function Pass({ cycle, points, reason, close }: { cycle: string; points: string[]; reason: string; close: (passed: number | null) => void }) {
    const form = useForm({ min: '', max: '', note: '' }, (v, key) => passAll(cycle, points.length ? { points, note: v.note } : {
        reason, note: v.note, ...(v.min ? { min_l: litres(v.min, 'min') } : {}), ...(v.max ? { max_l: litres(v.max, 'max') } : {}),
    }, key), (n) => close(n));
    return (
        <Dialog title={points.length ? word('review.pass_marked', { n: points.length }) : word('review.pass_reason', { reason: named('review_reason', reason) })} close={() => close(null)}>
            <p>{word('review.pass_about')}</p>
            <Form form={form} send={word('review.pass')} close={() => close(null)}>
                {!points.length && (
                    <div class="cols">
                        <div class="w6"><Field form={form} name="min" label={word('review.min')} type="number" /></div>
                        <div class="w6"><Field form={form} name="max" label={word('review.max')} type="number" /></div>
                    </div>
                )}
                <Field form={form} name="note" label={word('base.note')} type="textarea" required />
            </Form>
        </Dialog>
    );
}

export function Review({ cycle, query }: { cycle: string; query: URLSearchParams }) {
    const reason = query.get('reason') ?? '';
    const asked = useAsk((signal) => all<ReviewRow>(at`/v1/cycles/${cycle}/review`, {}, SHOWN_MOST, signal), [cycle]);
    const [marked, mark] = useState<Set<string>>(new Set());
    const [here, stand] = useState<ReviewRow | undefined>();
    const [passing, pass] = useState<'marked' | 'reason' | null>(null);
    const [passed, setPassed] = useState<number | null>(null);
    const columns: Column<ReviewRow>[] = [
        { id: 'point', head: word('review.point'), cell: (r) => <a href={link`/points/${r.point}`}>{r.point}</a>, sort: (r) => r.point, priority: 1 },
        { id: 'reasons', head: word('review.why'), cell: (r) => r.reasons.map((x) => <Badge key={x.reason} tone="warn">{named('review_reason', x.reason)}</Badge>), sort: (r) => r.reasons[0]?.reason, text: said, priority: 1, width: 'minmax(9rem, 2fr)' },
        { id: 'use', head: word('review.use'), cell: (r) => m3(r.consumption_l), sort: (r) => r.consumption_l, end: true },
        { id: 'usual', head: word('review.usual'), cell: (r) => m3(r.median_l === null ? null : r.median_l * r.days), sort: (r) => (r.median_l === null ? null : r.median_l * r.days), end: true, priority: 3 },
        { id: 'quality', head: word('review.quality'), cell: (r) => <StateBadge section="quality" value={r.quality} />, sort: (r) => r.quality, priority: 3, width: '8rem' },
    ];
    return (
        <Answer asked={asked}>{(d) => {
            const by = new Map<string, number>();
            for (const r of d.rows) for (const x of r.reasons) by.set(x.reason, (by.get(x.reason) ?? 0) + 1);
            const rows = reason ? d.rows.filter((r) => r.reasons.some((x) => x.reason === reason)) : d.rows;
            return (
                <>
                    {passed !== null && <div class="strip good" role="status">{word('review.passed', { n: passed })}</div>}
                    <div class="row-of gap-bottom">
                        <div class="chips" role="group" aria-label={word('review.why')}>
                            <button type="button" aria-pressed={!reason} onClick={() => filter({ reason: null })}>{word('review.all')} {number(d.rows.length)}</button>
                            {[...by].sort((a, b) => b[1] - a[1]).map(([r, n]) => <button key={r} type="button" aria-pressed={reason === r} onClick={() => filter({ reason: reason === r ? null : r })}>{named('review_reason', r)} {number(n)}</button>)}
                        </div>
                        <span class="row-of head-end">
                            <Exports path={at`/v1/cycles/${cycle}/review`} query={{ reason }} />
                            {may('billing') && marked.size > 0 && <button type="button" class="primary" onClick={() => pass('marked')}>{word('review.pass_marked', { n: marked.size })}</button>}
                            {may('billing') && !marked.size && reason && <button type="button" onClick={() => pass('reason')}>{word('review.pass_reason', { reason: named('review_reason', reason) })}</button>}
                        </span>
                    </div>
                    <div class="cols">
                        <div class="w7">
                            <Table name={word('cycle.tab_review')} columns={columns} rows={rows} id={(r) => r.point} active={stand} marked={may('billing') ? marked : undefined} mark={may('billing') ? mark : undefined}
                                empty={word('review.none')} more={d.more} />
                        </div>
                        {here && rows.length > 0 && (
                            <section class="card w5 stack" aria-label={word('review.point')}>
                                <h2><a href={link`/points/${here.point}`}>{here.point}</a> <span class="quiet small">{here.account}</span></h2>
                                <ul>{here.reasons.map((x) => <li key={x.reason}>{language.get() === 'zh' ? x.text_zh : x.text_en}</li>)}</ul>
                                {here.exchanged_at && <p>{word('review.exchanged', { day: day(here.exchanged_at), old: here.old_serial ?? '–', new: here.new_serial ?? '–' })}</p>}
                                {here.flags_open > 0 && <p><a href={`#/flags?point=${encodeURIComponent(here.point)}`}>{word('review.flags', { n: here.flags_open })}</a></p>}
                                <Reckoned key={here.point} point={here.point} from={here.from} to={here.to} />
                            </section>
                        )}
                    </div>
                    {passing && <Pass cycle={cycle} points={passing === 'marked' ? [...marked] : []} reason={reason} close={(n) => {
                        pass(null);
                        if (n === null) return;
                        setPassed(n);
                        mark(new Set());
                        asked.again();
                    }} />}
                </>
            );
        }}</Answer>
    );
}
