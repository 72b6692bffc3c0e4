// What people said dials stood at. What moves much waits here for a second person; whoever asked for it never is that person.
import { useCallback, useState } from 'preact/hooks';
import { all, at, post } from '../base/api';
import { useAsk } from '../base/ask';
import { m3, when } from '../base/format';
import { useLive } from '../base/live';
import { filter, link } from '../base/router';
import { may, session } from '../base/session';
import { language, named, word } from '../base/words';
import { StateBadge } from '../parts/badge';
import { Dialog } from '../parts/dialog';
import { Exports } from '../parts/exports';
import { Field, Form, useForm } from '../parts/form';
import { MeterChart } from '../parts/meter_chart';
import { Answer } from '../parts/states';
import { Table, type Column } from '../parts/table';
import type { ViewProps } from '../views';

interface Edit {
    id: number; state: string; text_en: string; text_zh: string; point: string; serial: string; at: string; index_l: number; instead_l: number | null; delta_l: number | null;
    span_from: string | null; span_l: number | null; takes_two: boolean; reason: string; asked_by: string; asked_at: string; decided_by: string | null; decided_at: string | null;
    note: string | null; undo_by: string | null; undo_at: string | null; undo_reason: string | null; undone_by: string | null;
}
type Act = 'approve' | 'refuse' | 'undo';
const states = ['waiting', 'undo-waiting', 'in-force', 'refused', 'undone'];
const waits = (e: Edit) => e.state === 'waiting' || e.state === 'undo-waiting';
const asker = (e: Edit) => (e.state === 'undo-waiting' ? e.undo_by : e.asked_by);

function Decide({ edit, act, close }: { edit: Edit; act: Act; close: (changed: boolean) => void }) {
    const form = useForm({ note: '' }, (v, key) => post(`${at`/v1/edits/${edit.id}`}/${act}`, act === 'undo' ? { reason: v.note } : v.note ? { note: v.note } : {}, key), () => close(true));
    return (
        <Dialog title={word(`edits.${act}_title`, { id: edit.id })} close={() => close(false)}>
            <p>{language.get() === 'zh' ? edit.text_zh : edit.text_en}</p>
            <p class="quiet">{edit.reason}</p>
            <Form form={form} send={word(`edits.${act}`)} tone={act === 'refuse' ? 'danger' : 'primary'} close={() => close(false)}>
                <Field form={form} name="note" label={act === 'undo' ? word('base.reason') : word('base.note')} type="textarea" required={act !== 'approve'} />
            </Form>
        </Dialog>
    );
}

export default function Edits({ query }: ViewProps) {
    const state = query.get('state') ?? '', point = query.get('point') ?? '';
    const asked = useAsk((signal) => all<Edit>('/v1/edits', { state, point }, 20000, signal), [state, point]);
    useLive(['edit'], useCallback(() => asked.again(), []));
    const [here, stand] = useState<Edit | undefined>();
    const [act, setAct] = useState<Act | null>(null);
    const columns: Column<Edit>[] = [
        { id: 'id', head: word('edits.id'), cell: (e) => e.id, sort: (e) => e.id, end: true, width: '4rem', priority: 3 },
        { id: 'point', head: word('review.point'), cell: (e) => e.point, sort: (e) => e.point, priority: 1 },
        { id: 'at', head: word('edits.at'), cell: (e) => when(e.at), sort: (e) => e.at, width: '10rem' },
        { id: 'index', head: word('edits.index'), cell: (e) => m3(e.index_l), sort: (e) => e.index_l, end: true },
        { id: 'delta', head: word('edits.delta'), cell: (e) => m3(e.delta_l), sort: (e) => e.delta_l, end: true },
        { id: 'state', head: word('edits.state'), cell: (e) => <StateBadge section="edit_state" value={e.state} />, sort: (e) => states.indexOf(e.state), priority: 1, width: '12rem' },
        { id: 'by', head: word('edits.by'), cell: (e) => e.asked_by, sort: (e) => e.asked_by, priority: 3 },
    ];
    const close = (changed: boolean) => {
        setAct(null);
        if (changed) asked.again();
    };
    return (
        <>
            <div class="head"><h1>{word('edits.title')}</h1><div class="head-end"><Exports path="/v1/edits" query={{ state, point }} /></div></div>
            <div class="chips gap-bottom" role="group" aria-label={word('edits.state')}>
                <button type="button" aria-pressed={!state} onClick={() => filter({ state: null })}>{word('review.all')}</button>
                {states.map((s) => <button key={s} type="button" aria-pressed={state === s} onClick={() => filter({ state: state === s ? null : s })}>{named('edit_state', s)}</button>)}
                {point && <button type="button" aria-pressed="true" onClick={() => filter({ point: null })}>{point} ✕</button>}
            </div>
            <Answer asked={asked}>{(d) => (
                <div class="cols">
                    <div class="w8"><Table name={word('edits.title')} columns={columns} rows={d.rows} id={(e) => String(e.id)} active={stand} sorted={['id', false]} tone={(e) => (waits(e) ? 'warn' : '')} empty={word('edits.none')} more={d.more} /></div>
                    {here && d.rows.length > 0 && (
                        <section class="card w4 stack" aria-label={word('edits.one')}>
                            <h2><a href={link`/points/${here.point}`}>{here.point}</a></h2>
                            <StateBadge section="edit_state" value={here.state} />
                            <p>{language.get() === 'zh' ? here.text_zh : here.text_en}</p>
                            <MeterChart key={here.id} serial={here.serial} days={30} until={Date.parse(here.at) / 1000 + 3 * 86400} plain height={150} />
                            <dl class="facts small">
                                <dt>{word('base.reason')}</dt><dd>{here.reason}</dd>
                                <dt>{word('edits.asked')}</dt><dd>{here.asked_by}, {when(here.asked_at)}</dd>
                                <dt>{word('edits.instead')}</dt><dd>{m3(here.instead_l)}</dd>
                                <dt>{word('edits.span')}</dt><dd>{m3(here.span_l)} <span class="quiet">{when(here.span_from)}</span></dd>
                                {here.decided_by && <><dt>{word('edits.decided')}</dt><dd>{here.decided_by}, {when(here.decided_at)} {here.note}</dd></>}
                                {here.undo_by && <><dt>{word('edits.undo_wanted')}</dt><dd>{here.undo_by}, {when(here.undo_at)} {here.undo_reason}</dd></>}
                            </dl>
                            {may('billing') && (
                                <div class="row-of">
                                    {waits(here) && asker(here) !== session.get()!.name && <button type="button" class="primary" onClick={() => setAct('approve')}>{word('edits.approve')}</button>}
                                    {waits(here) && asker(here) === session.get()!.name && <p class="quiet">{word('edits.second')}</p>}
                                    {waits(here) && <button type="button" onClick={() => setAct('refuse')}>{word(asker(here) === session.get()!.name ? 'edits.withdraw' : 'edits.refuse')}</button>}
                                    {here.state === 'in-force' && <button type="button" onClick={() => setAct('undo')}>{word('edits.undo')}</button>}
                                </div>
                            )}
                        </section>
                    )}
                </div>
            )}</Answer>
            {act && here && <Decide edit={here} act={act} close={close} />}
        </>
    );
}
