// Billing cycles: how each stands, and opening one.
import { useCallback, useState } from 'preact/hooks';
import { all, post, Problem } from '../base/api';
import { useAsk } from '../base/ask';
import { addDays, begins, day, m3, number, today } from '../base/format';
import { useLive } from '../base/live';
import { go, link } from '../base/router';
import { may } from '../base/session';
import { word } from '../base/words';
import { StateBadge } from '../parts/badge';
import { Dialog } from '../parts/dialog';
import { Exports } from '../parts/exports';
import { Field, Form, useForm } from '../parts/form';
import { Answer } from '../parts/states';
import { Table, type Column } from '../parts/table';
import type { Route } from './routes';

export interface Cycle {
    cycle: string; state: string; from: string; to: string; opened_at: string; closed_at: string | null; points: number | null;
    estimated: number | null; missing: number | null; consumption_l: number | null; billed_m3: number | null; digest: string | null;
}

/** The civil month before today's: what a clerk opens next. */
function monthBefore(): { name: string; from: string; to: string } {
    const to = `${today().slice(0, 7)}-01`;
    const from = `${addDays(to, -1).slice(0, 7)}-01`;
    return { name: from.slice(0, 7), from, to };
}

function Open({ close }: { close: (opened: string | null) => void }) {
    const first = monthBefore();
    const routes = useAsk((signal) => all<Route>('/v1/routes', {}, 50000, signal), []);
    const form = useForm({ cycle: first.name, from: first.from, to: first.to, routes: new Set<string>() },
        async (v, key) => {
            if (!v.routes.size) throw new Problem(422, word('cycles.no_routes'));
            return post<Cycle>('/v1/cycles', { cycle: v.cycle, from: begins(v.from), to: begins(v.to), routes: [...v.routes].sort() }, key);
        },
        (c) => close(c.cycle));
    const columns: Column<Route>[] = [
        { id: 'route', head: word('routes.route'), cell: (r) => r.route, sort: (r) => r.route, priority: 1 },
        { id: 'org', head: word('routes.org'), cell: (r) => r.org ?? '–', sort: (r) => r.org, priority: 1 },
    ];
    return (
        <Dialog title={word('cycles.open')} close={() => close(null)}>
            <Form form={form} send={word('cycles.open_n', { n: form.values.routes.size })} close={() => close(null)}>
                <Field form={form} name="cycle" label={word('cycles.name')} required hint={word('cycles.name_hint')} />
                <div class="cols">
                    <div class="w6"><Field form={form} name="from" label={word('cycles.first_day')} type="date" required /></div>
                    <div class="w6"><Field form={form} name="to" label={word('cycles.day_after')} type="date" required hint={word('cycles.day_after_hint')} /></div>
                </div>
                <h3>{word('cycles.routes')}</h3>
                <Answer asked={routes}>{(d) => (
                    <Table name={word('cycles.routes')} columns={columns} rows={d.rows} id={(r) => r.route} marked={form.values.routes} mark={(routes) => form.set({ routes })} empty={word('routes.none')} height="14rem" more={d.more} />
                )}</Answer>
            </Form>
        </Dialog>
    );
}

export default function Cycles() {
    const asked = useAsk((signal) => all<Cycle>('/v1/cycles', {}, 5000, signal), []);
    useLive(['cycle'], useCallback(() => asked.again(), []));
    const [opening, open] = useState(false);
    const columns: Column<Cycle>[] = [
        { id: 'cycle', head: word('cycles.cycle'), cell: (c) => <a href={link`/cycles/${c.cycle}`}>{c.cycle}</a>, sort: (c) => c.cycle, priority: 1 },
        { id: 'state', head: word('cycles.state'), cell: (c) => <StateBadge section="cycle_state" value={c.state} />, sort: (c) => c.state, priority: 1, width: '9rem' },
        { id: 'from', head: word('cycles.from'), cell: (c) => day(c.from), sort: (c) => c.from },
        { id: 'to', head: word('cycles.to'), cell: (c) => day(c.to), sort: (c) => c.to },
        { id: 'points', head: word('cycles.points'), cell: (c) => number(c.points), sort: (c) => c.points, end: true },
        { id: 'missing', head: word('cycles.missing'), cell: (c) => number(c.missing), sort: (c) => c.missing, end: true, priority: 3 },
        { id: 'estimated', head: word('cycles.estimated'), cell: (c) => number(c.estimated), sort: (c) => c.estimated, end: true, priority: 3 },
        { id: 'use', head: word('cycles.use'), cell: (c) => m3(c.consumption_l), sort: (c) => c.consumption_l, end: true, priority: 3, width: 'minmax(8rem, 1fr)' },
        { id: 'billed', head: word('cycles.billed'), cell: (c) => number(c.billed_m3), sort: (c) => c.billed_m3, end: true, width: 'minmax(7rem, 1fr)' },
    ];
    return (
        <>
            <div class="head">
                <h1>{word('cycles.title')}</h1>
                <div class="head-end">
                    <Exports path="/v1/cycles" />
                    {may('billing') && <button type="button" class="primary" onClick={() => open(true)}>{word('cycles.open')}</button>}
                </div>
            </div>
            <Answer asked={asked}>{(d) => <Table name={word('cycles.title')} columns={columns} rows={d.rows} id={(c) => c.cycle} open={(c) => go(link`/cycles/${c.cycle}`)} sorted={['to', false]} empty={word('cycles.none')} more={d.more} />}</Answer>
            {opening && <Open close={(opened) => {
                open(false);
                if (opened) go(link`/cycles/${opened}`);
            }} />}
        </>
    );
}
