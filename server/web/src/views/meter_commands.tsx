// What a meter was asked to do and what became of it; asking it for more: chiefs anything, a crew what it needs at a meter. A valve is closed by two persons.
import { useCallback, useState } from 'preact/hooks';
import { all, at, post, Problem } from '../base/api';
import { useAsk } from '../base/ask';
import { now } from '../base/facts';
import { addDays, begins, clock, day, duration, m3, today, when } from '../base/format';
import { useLive } from '../base/live';
import { may, session } from '../base/session';
import { named, word } from '../base/words';
import { StateBadge } from '../parts/badge';
import { Dialog } from '../parts/dialog';
import { Field, Form, litres, useForm } from '../parts/form';
import { Answer } from '../parts/states';
import { Table, type Column } from '../parts/table';

interface Command {
    id: number; what: string; state: string; requested_by: string; requested_at: string; expires: string; two_persons: boolean; approved_by: string | null; ended_at: string | null; attempts: number; reason: string | null;
    open?: boolean; report_every_s?: number; report_offset_s?: number; step_s?: number; base_index_l?: number; from?: string; to?: string;
}
/** What is typed, under the server's names, so that what it refuses stands at its field. */
interface Wish { what: string; report_every_s: string; report_offset_s: string; step_s: string; base_index_l: string; from: string; to: string; expires: string }

const HISTORY_DAYS = 7;
const forCrews = ['open', 'history', 'time'], forChiefs = ['open', 'close', 'report_every', 'report_offset', 'step', 'base_index', 'history', 'time'];

/** What was typed in some unit, as whole seconds. */
function seconds(w: Wish, field: 'report_every_s' | 'step_s', unit_s: number): Record<string, number> {
    const v = Number(w[field].trim().replace(',', '.'));
    if (!w[field].trim() || !Number.isFinite(v)) throw new Problem(422, word('base.no_number', { text: w[field] }), field);
    return { [field]: Math.round(v * unit_s) };
}

function body_of(w: Wish): Record<string, unknown> {
    const expires = new Date(now() + Number(w.expires) * 86400e3).toISOString().replace(/\.\d+Z/, 'Z');
    const what = w.what === 'open' || w.what === 'close' ? 'valve' : w.what;
    const value = {
        valve: () => ({ open: w.what === 'open' }),
        report_every: () => seconds(w, 'report_every_s', 3600),
        report_offset: () => ({ report_offset_s: Number(w.report_offset_s.slice(0, 2)) * 3600 + Number(w.report_offset_s.slice(3, 5)) * 60 }),
        step: () => seconds(w, 'step_s', 60),
        base_index: () => ({ base_index_l: Math.round(litres(w.base_index_l, 'base_index_l')) }),
        history: () => ({ from: begins(w.from), to: begins(addDays(w.to, 1)) }),
        time: () => ({}),
    }[what as 'valve']();
    return { what, ...value, expires };
}

function Ask({ serial, close }: { serial: string; close: (changed: boolean) => void }) {
    const first: Wish = { what: 'history', report_every_s: '24', report_offset_s: '02:00', step_s: '60', base_index_l: '', from: addDays(today(), -HISTORY_DAYS), to: addDays(today(), -1), expires: '7' };
    const form = useForm(first, (w, key) => post(at`/v1/meters/${serial}/commands`, body_of(w), key), () => close(true));
    const { what } = form.values;
    return (
        <Dialog title={word('commands.ask_of', { serial })} close={() => close(false)}>
            <Form form={form} send={word('commands.send')} tone={what === 'close' ? 'danger' : 'primary'} close={() => close(false)}>
                <Field form={form} name="what" label={word('meter.what')} options={(may('chief') ? forChiefs : forCrews).map((k) => [k, named('command_wish', k)])} />
                {what === 'close' && <p>{word('commands.two_persons')}</p>}
                {what === 'report_every' && <Field form={form} name="report_every_s" label={word('commands.hours')} type="number" required />}
                {what === 'report_offset' && <Field form={form} name="report_offset_s" label={word('commands.time')} type="time" required />}
                {what === 'step' && <Field form={form} name="step_s" label={word('commands.minutes')} type="number" required />}
                {what === 'base_index' && <Field form={form} name="base_index_l" label={word('sheet.dial_m3')} hint={word('sheet.dial_hint')} type="number" required />}
                {what === 'history' && (
                    <div class="cols">
                        <div class="w6"><Field form={form} name="from" label={word('commands.first_day')} type="date" required /></div>
                        <div class="w6"><Field form={form} name="to" label={word('commands.last_day')} type="date" required /></div>
                    </div>
                )}
                <Field form={form} name="expires" label={word('commands.expires')} hint={word('commands.expires_hint')} options={['1', '7', '30'].map((d) => [d, word('base.days', { n: Number(d) })])} />
            </Form>
        </Dialog>
    );
}

function Decide({ serial, command: c, act, close }: { serial: string; command: Command; act: 'approve' | 'cancel'; close: (changed: boolean) => void }) {
    const form = useForm({}, (_, key) => post(`${at`/v1/meters/${serial}/commands/${String(c.id)}`}/${act}`, {}, key), () => close(true));
    return (
        <Dialog title={word(`commands.${act}`)} close={() => close(false)}>
            <p>{meaning(c)}. {word('commands.asked_by', { who: c.requested_by, at: when(c.requested_at) })}</p>
            <Form form={form} send={word(`commands.${act}`)} tone={act === 'approve' ? 'danger' : 'primary'} close={() => close(false)} />
        </Dialog>
    );
}

/** What it is, with its figure. */
function meaning(c: Command): string {
    if (c.what === 'valve') return named('command_wish', c.open ? 'open' : 'close');
    const figure = c.report_every_s !== undefined ? duration(c.report_every_s) : c.step_s !== undefined ? duration(c.step_s) : c.base_index_l !== undefined ? `${m3(c.base_index_l)} m³` : c.from ? `${day(c.from)} – ${day(c.to)}`
        : c.report_offset_s !== undefined ? clock(Date.parse(begins(today())) + c.report_offset_s * 1000) : '';
    return `${named('command_wish', c.what)}${figure && `: ${figure}`}`;
}
const ended = (c: Command) => ['done', 'failed', 'expired'].includes(c.state);
const waits = (c: Command) => c.two_persons && !c.approved_by && c.state === 'queued';

export function Commands({ serial }: { serial: string }) {
    const asked = useAsk((signal) => all<Command>(at`/v1/meters/${serial}/commands`, {}, 2000, signal), [serial]);
    useLive(['command'], useCallback(() => asked.again(), []));
    const [asking, ask] = useState(false);
    const [decided, decide] = useState<{ command: Command; act: 'approve' | 'cancel' } | null>(null);
    const me = session.get()!.name;
    const close = (changed: boolean) => {
        ask(false);
        decide(null);
        if (changed) asked.again();
    };
    const columns: Column<Command>[] = [
        { id: 'at', head: word('meter.asked_at'), cell: (c) => when(c.requested_at), sort: (c) => c.requested_at, width: '10rem' },
        { id: 'what', head: word('meter.what'), cell: meaning, sort: (c) => c.what, text: meaning, priority: 1, width: 'minmax(9rem, 4fr)' },
        { id: 'state', head: word('meters.state'), cell: (c) => (waits(c) ? <StateBadge section="edit_state" value="waiting" /> : <StateBadge section="command_state" value={c.state} />), sort: (c) => c.state, priority: 1, width: 'minmax(7rem, 1fr)' },
        { id: 'by', head: word('meter.by'), cell: (c) => [c.requested_by, c.approved_by].filter(Boolean).join(' + '), sort: (c) => c.requested_by },
        { id: 'tries', head: word('meter.tries'), cell: (c) => c.attempts, sort: (c) => c.attempts, end: true, width: '4rem', priority: 3 },
        { id: 'ended', head: word('flag.ended'), cell: (c) => when(c.ended_at), sort: (c) => c.ended_at, priority: 3, width: '10rem' },
        { id: 'reason', head: word('base.reason'), cell: (c) => c.reason ?? '', sort: (c) => c.reason, priority: 3 },
        ...(may('crew') ? [{ id: 'act', head: word('commands.act'), cell: (c: Command) => (ended(c) ? '' : <span class="row-of tight">
            {waits(c) && may('chief') && c.requested_by !== me && <button type="button" class="quiet" onClick={() => decide({ command: c, act: 'approve' })}>{word('commands.approve')}</button>}
            {(may('chief') || c.requested_by === me) && <button type="button" class="quiet" onClick={() => decide({ command: c, act: 'cancel' })}>{word('commands.cancel')}</button>}
        </span>), priority: 1 as const, width: '11rem' }] : []),
    ];
    return (
        <>
            <Answer asked={asked}>{(d) => <Table name={word('meter.commands')} columns={columns} rows={d.rows} id={(c) => String(c.id)} sorted={['at', false]} empty={word('meter.no_commands')} more={d.more}
                tools={may('crew') && <button type="button" class="primary" onClick={() => ask(true)}>{word('commands.ask')}</button>} />}</Answer>
            {asking && <Ask serial={serial} close={close} />}
            {decided && <Decide serial={serial} {...decided} close={close} />}
        </>
    );
}
