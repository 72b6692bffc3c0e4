// The month's figures, each with what counts, what it is of and what is left out; of all, by unit, by route. A closed month never changes.
import { useState } from 'preact/hooks';
import { all, at, get, post } from '../base/api';
import { useAsk } from '../base/ask';
import { number, today, when } from '../base/format';
import { filter } from '../base/router';
import { may } from '../base/session';
import { language, named, word } from '../base/words';
import { Badge } from '../parts/badge';
import { Dialog } from '../parts/dialog';
import { Exports } from '../parts/exports';
import { Field, Form, useForm } from '../parts/form';
import { Answer } from '../parts/states';
import { Table, type Column } from '../parts/table';
import type { ViewProps } from '../views';

interface Figure {
    month: string; level: string; org: string | null; route: string | null; figure: string; text_en: string; text_zh: string; numerator: number; denominator: number; value: number | null;
    target: number | null; excluded: Record<string, number>; final: boolean; frozen_at: string | null; frozen_by: string | null; later: { numerator: number; denominator: number; value: number | null } | null;
}
interface Told { numerator_en: string; numerator_zh: string; denominator_en: string; denominator_zh: string; excluded: { without: string; text_en: string; text_zh: string }[]; better: string; target: number | null; source: string }
const zh = () => language.get() === 'zh';
const levels = ['all', 'company', 'branch', 'team', 'route'];
const monthBefore = (): string => {
    const [y, m] = today().split('-').map(Number);
    return m === 1 ? `${y - 1}-12` : `${y}-${String(m - 1).padStart(2, '0')}`;
};

function Of({ figure, close }: { figure: Figure; close: () => void }) {
    const asked = useAsk((signal) => get<Told>(at`/v1/figures/${figure.figure}`, {}, signal), [figure.figure]);
    return (
        <Dialog title={zh() ? figure.text_zh : figure.text_en} close={close}>
            <p><strong>{number(figure.numerator)} / {number(figure.denominator)}</strong> {figure.value !== null && <>= {number(figure.value, 2)} %</>}</p>
            <Answer asked={asked}>{(t) => (
                <dl class="facts">
                    <dt>{word('figures.counts')}</dt><dd>{zh() ? t.numerator_zh : t.numerator_en}</dd>
                    <dt>{word('figures.of')}</dt><dd>{zh() ? t.denominator_zh : t.denominator_en}</dd>
                    {t.excluded.length > 0 && <><dt>{word('figures.without')}</dt><dd><ul class="lines counts">{t.excluded.map((x) => <li key={x.without}><span>{zh() ? x.text_zh : x.text_en}</span> <strong>{number(figure.excluded[x.without] ?? 0)}</strong></li>)}</ul></dd></>}
                    <dt>{word('figures.source')}</dt><dd>{t.source}</dd>
                </dl>
            )}</Answer>
            <p class="gap-top"><Exports path={at`/v1/figures/${figure.figure}/list`} query={{ month: figure.month, org: figure.level === 'route' ? '' : figure.org, route: figure.route }} /></p>
        </Dialog>
    );
}

function Freeze({ month, close }: { month: string; close: (changed: boolean) => void }) {
    const form = useForm({ note: '' }, (v, key) => post(at`/v1/figures/${month}/close`, v.note ? { note: v.note } : {}, key), () => close(true));
    return (
        <Dialog title={word('figures.freeze', { month })} close={() => close(false)}>
            <p>{word('figures.freeze_about')}</p>
            <Form form={form} send={word('figures.freeze', { month })} tone="danger" close={() => close(false)}><Field form={form} name="note" label={word('base.note')} /></Form>
        </Dialog>
    );
}

export default function MonthFigures({ query }: ViewProps) {
    const month = query.get('month') ?? monthBefore(), level = query.get('level') ?? 'all';
    const asked = useAsk((signal) => all<Figure>('/v1/figures', { month, level, later: 1 }, 20000, signal), [month, level]);
    const [of, show] = useState<Figure | null>(null);
    const [freezing, freeze] = useState(false);
    const columns: Column<Figure>[] = [
        { id: 'figure', head: word('figures.figure'), cell: (f) => (zh() ? f.text_zh : f.text_en), sort: (f) => (zh() ? f.text_zh : f.text_en), priority: 1, width: 'minmax(11rem, 3fr)' },
        ...(level === 'all' ? [] : [{ id: 'unit', head: word('figures.unit'), cell: (f: Figure) => f.route ?? f.org ?? '–', sort: (f: Figure) => f.route ?? f.org, priority: 1 as const }]),
        { id: 'value', head: '%', cell: (f) => number(f.value, 2), sort: (f) => f.value, end: true, priority: 1, width: '6rem' },
        { id: 'target', head: word('figures.target'), cell: (f) => number(f.target, 0), sort: (f) => f.target, end: true, width: '6rem' },
        { id: 'counts', head: word('figures.counts'), cell: (f) => number(f.numerator), sort: (f) => f.numerator, end: true },
        { id: 'of', head: word('figures.of'), cell: (f) => number(f.denominator), sort: (f) => f.denominator, end: true },
        { id: 'without', head: word('figures.without'), cell: (f) => number(Object.values(f.excluded ?? {}).reduce((a, b) => a + b, 0)), sort: (f) => Object.values(f.excluded ?? {}).reduce((a, b) => a + b, 0), end: true, priority: 3 },
        { id: 'later', head: word('figures.later'), cell: (f) => (f.later ? <Badge tone="warn">{number(f.later.value, 2)}</Badge> : ''), sort: (f) => f.later?.value, end: true, priority: 3 },
    ];
    return (
        <>
            <div class="head">
                <h1>{word('figures.title')}</h1>
                <div class="row-of noprint"><input type="month" aria-label={word('figures.month')} value={month} max={today().slice(0, 7)} onChange={(e) => e.currentTarget.value && filter({ month: e.currentTarget.value })} /></div>
                <div class="head-end">
                    <Exports path="/v1/figures" query={{ month, level }} />
                    {may('chief') && asked.data && asked.data.rows.length > 0 && !asked.data.rows[0].final && month < today().slice(0, 7) && <button type="button" onClick={() => freeze(true)}>{word('figures.freeze', { month })}</button>}
                </div>
            </div>
            <div class="chips gap-bottom" role="group" aria-label={word('figures.level')}>{levels.map((l) => <button key={l} type="button" aria-pressed={l === level} onClick={() => filter({ level: l === 'all' ? null : l })}>{named('level', l)}</button>)}</div>
            <Answer asked={asked}>{(d) => (
                <>
                    {d.rows[0]?.final && <div class="strip good">✓ {word('figures.frozen', { at: when(d.rows[0].frozen_at), who: d.rows[0].frozen_by ?? '' })}</div>}
                    <Table name={word('figures.title')} columns={columns} rows={d.rows} id={(f) => `${f.level} ${f.org} ${f.route} ${f.figure}`} open={show} empty={word('figures.none')} more={d.more} />
                </>
            )}</Answer>
            {of && <Of figure={of} close={() => show(null)} />}
            {freezing && <Freeze month={month} close={(changed) => {
                freeze(false);
                if (changed) asked.again();
            }} />}
        </>
    );
}
