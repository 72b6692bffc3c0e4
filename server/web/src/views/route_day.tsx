// A route's day: the reconciliation sheet. Rows on the left, walked by keyboard; the row that one stands on at the right, with its last weeks and what can be done.
//   R  read the dial   E  correct   D  dispute   M  remark   S  sign off
import { useCallback, useMemo, useState } from 'preact/hooks';
import { all, at, list, post } from '../base/api';
import { useAsk } from '../base/ask';
import { addDays, ago, day, m3, today, when } from '../base/format';
import { useLive } from '../base/live';
import { filter, go, link } from '../base/router';
import { may, session } from '../base/session';
import { language, named, word } from '../base/words';
import { Badge, StateBadge } from '../parts/badge';
import { Dialog } from '../parts/dialog';
import { Exports } from '../parts/exports';
import { Field, Form, litres, useForm } from '../parts/form';
import { MeterChart } from '../parts/meter_chart';
import { Answer } from '../parts/states';
import { Table, type Column } from '../parts/table';
import type { ViewProps } from '../views';
import { counted, type SheetRow } from './sheet';

interface Signed { date: string; signed_by: string; signed_at: string; note: string | null; digest: string }
type Act = 'read' | 'edit' | 'dispute' | 'resolve' | 'remark' | 'sign';
const states = ['missing', 'odd', 'disputed', 'ok', 'signed'] as const;

const reason = (r: SheetRow): string => (language.get() === 'zh' ? r.reason_zh : r.reason_en) ?? '';
const needs = (r: SheetRow): boolean => r.state === 'missing' || r.state === 'odd';

async function load(route: string, date: string, blind: boolean, signal: AbortSignal) {
    const [sheet, signed] = await Promise.all([
        all<SheetRow>(at`/v1/routes/${route}/day`, { date, blind: blind || undefined }, 50000, signal),
        list<Signed>(at`/v1/routes/${route}/signed`, { from: date, to: date, limit: 1 }, signal),
    ]);
    return { rows: sheet.rows, more: sheet.more, signed: signed.rows[0] as Signed | undefined };
}

/** What is to be said of rows when the day is signed; kept while this page is open. */
const remarks_of = new Map<string, Map<string, string>>();

function Read({ row, close }: { row: SheetRow; close: (changed: boolean) => void }) {
    const form = useForm({ index_l: '', note: '', confirm: false }, (v, key) => post('/v1/reads', {
        point: row.point, index_l: litres(v.index_l, 'index_l'), reader: session.get()!.name, ...(v.note ? { note: v.note } : {}), ...(v.confirm ? { confirm: true } : {}),
    }, key), () => close(true));
    return (
        <Dialog title={word('sheet.read_at', { point: row.address ?? row.point })} close={() => close(false)}>
            <p class="quiet">{word('sheet.meter')} {row.serial}</p>
            <Form form={form} send={word('sheet.record')} close={() => close(false)}>
                <Field form={form} name="index_l" label={word('sheet.dial_m3')} type="number" required hint={word('sheet.dial_hint')} more={{ autofocus: true, autocomplete: 'off' }} />
                <Field form={form} name="note" label={word('base.note')} />
                {(form.problem?.field === 'index_l' || form.problem?.field === 'confirm' || form.values.confirm) && <Field form={form} name="confirm" label={word('sheet.confirm')} type="checkbox" />}
            </Form>
        </Dialog>
    );
}

function Correct({ row, close }: { row: SheetRow; close: (changed: boolean) => void }) {
    const stood = row.manual_l ?? row.remote_l;
    const form = useForm({ index_l: stood === null ? '' : String(stood / 1000), reason: '' }, (v, key) => post(at`/v1/points/${row.point}/edits`, {
        at: row.due_at, index_l: litres(v.index_l, 'index_l'), ...(row.serial ? { serial: row.serial } : {}), reason: v.reason,
    }, key), () => close(true));
    return (
        <Dialog title={word('sheet.correct_at', { point: row.address ?? row.point })} close={() => close(false)}>
            <p class="quiet">{word('sheet.correct_about', { at: when(row.due_at) })}</p>
            <Form form={form} send={word('sheet.correct')} close={() => close(false)}>
                <Field form={form} name="index_l" label={word('sheet.dial_m3')} type="number" required more={{ autofocus: true, autocomplete: 'off' }} />
                <Field form={form} name="reason" label={word('base.reason')} type="textarea" required />
            </Form>
        </Dialog>
    );
}

function Doubt({ route, date, row, resolve, close }: { route: string; date: string; row: SheetRow; resolve: boolean; close: (changed: boolean) => void }) {
    const form = useForm({ note: '' }, (v, key) => post(`${at`/v1/routes/${route}/day`}/${resolve ? 'resolve' : 'dispute'}`, { date, point: row.point, note: v.note }, key), () => close(true));
    return (
        <Dialog title={word(resolve ? 'sheet.resolve_at' : 'sheet.dispute_at', { point: row.address ?? row.point })} close={() => close(false)}>
            {resolve && row.dispute && <p class="quiet">{word('sheet.disputed_by', { who: row.dispute.by, at: when(row.dispute.at) })} {row.dispute.note}</p>}
            <Form form={form} send={word(resolve ? 'sheet.resolve' : 'sheet.dispute')} close={() => close(false)}>
                <Field form={form} name="note" label={word(resolve ? 'sheet.resolution' : 'base.reason')} type="textarea" required />
            </Form>
        </Dialog>
    );
}

function Remark({ row, first, close }: { row: SheetRow; first: string; close: (text: string | null) => void }) {
    const form = useForm({ remark: first }, async (v) => v.remark, (text) => close(text));
    return (
        <Dialog title={word('sheet.remark_at', { point: row.address ?? row.point })} close={() => close(null)}>
            <Form form={form} send={word('base.save')} close={() => close(null)}>
                <Field form={form} name="remark" label={word('sheet.remark')} type="textarea" hint={word('sheet.remark_hint')} />
            </Form>
        </Dialog>
    );
}

/** Signing off: what blocks it first; then one remark for each reason, for the rows that have none of their own. */
function Sign({ route, date, rows, remarks, close }: { route: string; date: string; rows: SheetRow[]; remarks: Map<string, string>; close: (changed: boolean) => void }) {
    const disputes = rows.filter((r) => r.state === 'disputed');
    const groups = useMemo(() => {
        const by = new Map<string, SheetRow[]>();
        for (const r of rows.filter(needs)) by.set(reason(r), [...(by.get(reason(r)) ?? []), r]);
        return [...by].sort((a, b) => b[1].length - a[1].length);
    }, [rows]);
    const form = useForm({ note: '', ...Object.fromEntries(groups.map(([g]) => [`of ${g}`, ''])) } as Record<string, string>, (v, key) => post(at`/v1/routes/${route}/day/sign`, {
        date, ...(v.note ? { note: v.note } : {}),
        remarks: rows.filter(needs).map((r) => ({ point: r.point, remark: remarks.get(r.point) || v[`of ${reason(r)}`] })).filter((r) => r.remark),
    }, key), () => close(true));
    const c = counted(rows);
    return (
        <Dialog title={word('sheet.sign_title', { route, date })} close={() => close(false)}>
            <p>{word('sheet.sign_about', { all: c.all, ok: c.ok, missing: c.missing, odd: c.odd })}</p>
            {disputes.length > 0 ? (
                <>
                    <div class="strip bad" role="alert">{word('sheet.sign_blocked', { n: disputes.length })}</div>
                    <ul>{disputes.slice(0, 20).map((r) => <li key={r.point}>{r.address ?? r.point}: {r.dispute?.note}</li>)}</ul>
                </>
            ) : (
                <Form form={form} send={word('sheet.sign')} close={() => close(false)}>
                    {groups.map(([g, of]) => {
                        const own = of.filter((r) => remarks.get(r.point)).length;
                        return <Field key={g} form={form} name={`of ${g}`} label={word('sheet.remark_of', { n: of.length, reason: g })} required={own < of.length} hint={own ? word('sheet.own_remarks', { n: own }) : undefined} />;
                    })}
                    <Field form={form} name="note" label={word('base.note')} />
                </Form>
            )}
        </Dialog>
    );
}

function Panel({ row, remark, act, signed }: { row: SheetRow; remark: string; act: (a: Act) => void; signed: boolean }) {
    return (
        <section class="card stack" id="the-row" aria-label={word('sheet.row')}>
            <div>
                <h2 class="tight">{row.address ?? row.point}</h2>
                <div class="row-of"><StateBadge section="sheet_state" value={row.state} /> {reason(row) && <span>{reason(row)}</span>}</div>
            </div>
            {row.serial && <MeterChart serial={row.serial} days={14} until={Math.min(Date.parse(row.due_at) / 1000 + 86400, Date.now() / 1000 + 86400 * 3650)} plain height={150} />}
            <dl class="facts small">
                <dt>{word('sheet.point')}</dt><dd>{row.point}{row.account ? ` · ${row.account}` : ''}</dd>
                <dt>{word('sheet.meter')}</dt><dd>{row.serial ? <a href={link`/meters/${row.serial}`}>{row.serial}</a> : '–'}</dd>
                <dt>{word('sheet.radio')}</dt><dd>{m3(row.remote_l)} {row.remote_at && <span class="quiet">{when(row.remote_at)}</span>}</dd>
                <dt>{word('sheet.hand')}</dt><dd>{m3(row.manual_l)} {row.manual_at && <span class="quiet">{when(row.manual_at)}</span>}</dd>
                {row.difference_l !== null && <><dt>{word('sheet.difference')}</dt><dd>{m3(row.difference_l)}</dd></>}
                <dt>{word('sheet.use')}</dt><dd>{m3(row.use_l)} {row.use_from && <span class="quiet">{word('sheet.since', { at: when(row.use_from) })}</span>}</dd>
                {row.heard_at && <><dt>{word('sheet.heard')}</dt><dd>{when(row.heard_at)} <span class="quiet">{ago(row.heard_at)}</span></dd></>}
                {row.checks && row.checks.length > 0 && <><dt>{word('sheet.checks')}</dt><dd>{row.checks.map((c) => named('check', c)).join(', ')}</dd></>}
                {(row.remark || remark) && <><dt>{word('sheet.remark')}</dt><dd>{row.remark ?? remark}</dd></>}
                {row.dispute && <><dt>{word('sheet.dispute_of')}</dt><dd>{row.dispute.note} <span class="quiet">{row.dispute.by}, {when(row.dispute.at)}</span>{row.dispute.resolution && <><br />{row.dispute.resolution}</>}</dd></>}
                {row.signed_by && <><dt>{word('sheet.signed')}</dt><dd>{row.signed_by}, {when(row.signed_at)}{row.changed_since_signed && <> <Badge tone="warn">{word('sheet.changed')}</Badge></>}</dd></>}
            </dl>
            <div class="row-of noprint">
                {may('reads') && row.serial && <button type="button" onClick={() => act('read')}>{word('sheet.read')} <kbd>R</kbd></button>}
                {may('billing') && row.serial && <button type="button" onClick={() => act('edit')}>{word('sheet.correct')} <kbd>E</kbd></button>}
                {may('sheets') && row.state !== 'disputed' && <button type="button" onClick={() => act('dispute')}>{word('sheet.dispute')} <kbd>D</kbd></button>}
                {may('chief') && row.state === 'disputed' && <button type="button" class="primary" onClick={() => act('resolve')}>{word('sheet.resolve')}</button>}
                {may('sheets') && !signed && needs(row) && <button type="button" onClick={() => act('remark')}>{word('sheet.remark')} <kbd>M</kbd></button>}
            </div>
        </section>
    );
}

export default function RouteDay({ names, query }: ViewProps) {
    const { route, date } = names, wanted = query.get('state') ?? '', blind = query.get('blind') === '1';
    const key = `${route} ${date}`;
    const asked = useAsk((signal) => load(route, date, blind, signal), [route, date, blind]);
    useLive(['route-row', 'route-day', 'reading', 'edit', 'import'], useCallback(() => asked.again(), []));
    const [here, stand] = useState<SheetRow | undefined>();
    const [act, setAct] = useState<{ act: Act; row: SheetRow } | null>(null);
    const [, drawn] = useState(0);
    const remarks = remarks_of.get(key) ?? new Map<string, string>();
    const close = (changed: boolean) => {
        setAct(null);
        if (changed) asked.again();
    };
    const begin = (a: Act, row = here) => row && setAct({ act: a, row });
    const rows = useMemo(() => (asked.data?.rows ?? []).filter((r) => !wanted || r.state === wanted), [asked.data, wanted]);
    const columns: Column<SheetRow>[] = [
        { id: 'seq', head: word('sheet.seq'), cell: (r) => r.seq ?? '–', sort: (r) => r.seq, width: '3rem', end: true, priority: 2 },
        { id: 'address', head: word('sheet.address'), cell: (r) => r.address ?? r.point, sort: (r) => r.address ?? r.point, text: (r) => `${r.address} ${r.point} ${r.account}`, priority: 1, width: 'minmax(8rem, 2fr)' },
        { id: 'serial', head: word('sheet.meter'), cell: (r) => r.serial ?? '–', sort: (r) => r.serial, priority: 3, width: '7rem' },
        { id: 'radio', head: word('sheet.radio'), cell: (r) => m3(r.remote_l), sort: (r) => r.remote_l, end: true, width: '6.2rem' },
        { id: 'hand', head: word('sheet.hand'), cell: (r) => m3(r.manual_l), sort: (r) => r.manual_l, end: true, width: '6.5rem', priority: 2 },
        { id: 'use', head: word('sheet.use'), cell: (r) => m3(r.use_l), sort: (r) => r.use_l, end: true, width: '6.2rem' },
        { id: 'state', head: word('sheet.state'), cell: (r) => <><StateBadge section="sheet_state" value={r.state} />{remarks.get(r.point) ? ' ✎' : ''}{r.changed_since_signed ? ' ▲' : ''}</>, sort: (r) => states.indexOf(r.state as never), text: (r) => named('sheet_state', r.state), priority: 1, width: '7rem' },
        { id: 'reason', head: word('sheet.reason'), cell: (r) => reason(r) || r.remark || '', sort: reason, priority: 3, width: 'minmax(8rem, 1.5fr)' },
    ];
    const keys = { r: (r: SheetRow) => may('reads') && r.serial && begin('read', r), e: (r: SheetRow) => may('billing') && r.serial && begin('edit', r), d: (r: SheetRow) => may('sheets') && begin(r.state === 'disputed' ? 'resolve' : 'dispute', r),
        m: (r: SheetRow) => may('sheets') && needs(r) && begin('remark', r), s: (r: SheetRow) => may('sheets') && !asked.data?.signed && begin('sign', r) };
    const move = (to: string) => to && go(`${link`/routes/${route}/day/${to}`}`);
    return (
        <>
            <div class="head">
                <div><div class="crumbs"><a href="#/routes">{word('routes.title')}</a></div><h1>{word('sheet.title', { route })}</h1></div>
                <div class="row-of noprint">
                    <button type="button" class="quiet" aria-label={word('sheet.day_before')} onClick={() => move(addDays(date, -1))}>←</button>
                    <input type="date" aria-label={word('sheet.day')} value={date} max={today()} onChange={(e) => move(e.currentTarget.value)} />
                    <button type="button" class="quiet" aria-label={word('sheet.day_after')} disabled={date >= today()} onClick={() => move(addDays(date, 1))}>→</button>
                </div>
                <div class="head-end">
                    <Exports path={at`/v1/routes/${route}/day`} query={{ date }} />
                    {may('sheets') && asked.data && !asked.data.signed && asked.data.rows.length > 0 && <button type="button" class="primary" onClick={() => setAct({ act: 'sign', row: asked.data!.rows[0] })}>{word('sheet.sign')} <kbd>S</kbd></button>}
                </div>
            </div>
            <Answer asked={asked}>{(d) => {
                const c = counted(d.rows);
                return (
                    <>
                        {d.signed && <div class="strip good" role="status">✓ {word('sheet.signed_by', { who: d.signed.signed_by, at: when(d.signed.signed_at) })} {d.signed.note} <span class="small">SHA-256 {d.signed.digest.slice(0, 16)}…</span></div>}
                        <div class="chips noprint" role="group" aria-label={word('sheet.filter')}>
                            <button type="button" aria-pressed={!wanted} onClick={() => filter({ state: null })}>{word('sheet.all')} {c.all}</button>
                            {states.filter((s) => c[s] > 0 || wanted === s).map((s) => <button key={s} type="button" aria-pressed={wanted === s} onClick={() => filter({ state: wanted === s ? null : s })}>{named('sheet_state', s)} {c[s]}</button>)}
                            {may('sheets') && <button type="button" aria-pressed={blind} title={word('sheet.blind_hint')} onClick={() => filter({ blind: blind ? null : '1' })}>{word('sheet.blind')}</button>}
                        </div>
                        <div class="cols gap-top">
                            <div class="w8">
                                <Table name={word('sheet.title', { route })} columns={columns} rows={rows} id={(r) => r.point} active={stand} open={() => innerWidth < 1100 && document.getElementById('the-row')?.scrollIntoView({ block: 'start' })} at={query.get('row') ?? undefined} keys={keys} more={d.more}
                                    tone={(r) => (r.state === 'missing' ? 'bad' : r.state === 'odd' || r.state === 'disputed' ? 'warn' : '')} empty={d.rows.length ? word('sheet.none_so') : word('sheet.none', { day: day(date) })} />
                            </div>
                            <div class="w4">{here && <Panel key={here.point} row={here} remark={remarks.get(here.point) ?? ''} act={begin} signed={!!d.signed} />}</div>
                        </div>
                    </>
                );
            }}</Answer>
            {act?.act === 'read' && <Read row={act.row} close={close} />}
            {act?.act === 'edit' && <Correct row={act.row} close={close} />}
            {(act?.act === 'dispute' || act?.act === 'resolve') && <Doubt route={route} date={date} row={act.row} resolve={act.act === 'resolve'} close={close} />}
            {act?.act === 'remark' && <Remark row={act.row} first={remarks.get(act.row.point) ?? ''} close={(text) => {
                if (text !== null) remarks_of.set(key, new Map(remarks).set(act.row.point, text));
                setAct(null);
                drawn((n) => n + 1);
            }} />}
            {act?.act === 'sign' && asked.data && <Sign route={route} date={date} rows={asked.data.rows} remarks={remarks} close={close} />}
        </>
    );
}
