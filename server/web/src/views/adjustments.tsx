// What changed after cycles were closed: the exact difference, why, and what it corrects.
import { useCallback } from 'preact/hooks';
import { all } from '../base/api';
import { useAsk } from '../base/ask';
import { m3, number, when } from '../base/format';
import { useLive } from '../base/live';
import { link } from '../base/router';
import { language, named, word } from '../base/words';
import { Exports } from '../parts/exports';
import { Answer } from '../parts/states';
import { Table, type Column } from '../parts/table';
import type { ViewProps } from '../views';

interface Adjustment { id: number; cycle: string; point: string; delta_l: number; delta_m3: number; reason: string; text_en: string; text_zh: string; at: string; corrects: number | null; value_m3: number }
const signed = (text: string, v: number) => (v > 0 ? `+${text}` : text);

export function Adjustments({ cycle }: { cycle?: string }) {
    const asked = useAsk((signal) => all<Adjustment>('/v1/adjustments', { cycle }, 20000, signal), [cycle]);
    useLive(['adjustment'], useCallback(() => asked.again(), []));
    const columns: Column<Adjustment>[] = [
        { id: 'id', head: word('adjustments.id'), cell: (a) => a.id, sort: (a) => a.id, end: true, width: '5rem', priority: 3 },
        ...(cycle ? [] : [{ id: 'cycle', head: word('cycles.cycle'), cell: (a: Adjustment) => <a href={link`/cycles/${a.cycle}`}>{a.cycle}</a>, sort: (a: Adjustment) => a.cycle }]),
        { id: 'point', head: word('review.point'), cell: (a) => <a href={link`/points/${a.point}`}>{a.point}</a>, sort: (a) => a.point, priority: 1 },
        { id: 'm3', head: word('adjustments.m3'), cell: (a) => signed(number(a.delta_m3), a.delta_m3), sort: (a) => a.delta_m3, end: true, priority: 1 },
        { id: 'l', head: word('adjustments.exact'), cell: (a) => signed(m3(a.delta_l), a.delta_l), sort: (a) => a.delta_l, end: true },
        { id: 'value', head: word('adjustments.value'), cell: (a) => number(a.value_m3), sort: (a) => a.value_m3, end: true, priority: 3 },
        { id: 'reason', head: word('adjustments.reason'), cell: (a) => named('adjustment_reason', a.reason), sort: (a) => a.reason, width: '9rem' },
        { id: 'text', head: word('adjustments.text'), cell: (a) => (language.get() === 'zh' ? a.text_zh : a.text_en), width: 'minmax(10rem, 3fr)', priority: 3, text: (a) => a.text_en },
        { id: 'at', head: word('adjustments.at'), cell: (a) => when(a.at), sort: (a) => a.at, width: '9.5rem' },
    ];
    return <Answer asked={asked}>{(d) => <Table name={word('adjustments.title')} columns={columns} rows={d.rows} id={(a) => String(a.id)} sorted={['id', false]} empty={word('adjustments.none')} more={d.more} />}</Answer>;
}

export default function AdjustmentsPage(_: ViewProps) {
    return (
        <>
            <div class="head"><h1>{word('adjustments.title')}</h1><div class="head-end"><Exports path="/v1/adjustments" /></div></div>
            <Adjustments />
        </>
    );
}
