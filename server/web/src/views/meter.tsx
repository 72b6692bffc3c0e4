// A meter: what it is and where, its chart with flags and their evidence, its life, its frames as they came in, its commands, the edits of its point.
import { useCallback, useMemo, useState } from 'preact/hooks';
import { all, at, get, list, post, Problem } from '../base/api';
import { useAsk } from '../base/ask';
import { now } from '../base/facts';
import { ago, m3, number, when } from '../base/format';
import { useLive } from '../base/live';
import { filter, link } from '../base/router';
import { may } from '../base/session';
import { language, named, word } from '../base/words';
import { StateBadge } from '../parts/badge';
import { Dialog } from '../parts/dialog';
import { Exports } from '../parts/exports';
import { Field, Form, useForm } from '../parts/form';
import { MeterChart } from '../parts/meter_chart';
import { Answer, Empty, Loading } from '../parts/states';
import { Table, type Column } from '../parts/table';
import type { ViewProps } from '../views';
import { instantsOf, limitsOf, markOf, type Flag } from './evidence';
import { Commands } from './meter_commands';

interface Meter { serial: string; model: string | null; dn: number; q3: string | number; r: string | null; digits: number | null; resolution_l: number | null; register: string | null; dialect: string | null; radio_id: string | null; batch: string | null; supplier: string | null; made_on: string | null; verified_on: string | null; certificate: string | null; state: string; depot: string | null; [more: string]: unknown }
interface Fitting { point: string; serial: string; from: string; start_index_l: number | null; to: string | null; end_index_l: number | null }
interface Point { point: string; account: string | null; address: string | null; use_class: string | null; zone: string | null; route: string | null; phone: string | null }
interface LifeEvent { event: string; at: string; state: string; document: string | null; note: string | null; point: string | null; crew: string | null; depot: string | null; index_l: number | null; reason: string | null; who: string; order: string | null; seal: string | null; certificate: string | null }
interface Frame { id: string; arrived_at: string; dialect: string | null; transport: string; peer: string | null; name: string | null; len: number; bytes: string; fault: string | null; explain?: { dialect?: string; fields?: Explained[] } }
interface Explained { layer?: string; offset?: number; bytes?: string; field?: string; value?: string; unit?: string; meaning?: string; is?: string }
interface Edit { id: number; state: string; text_en: string; text_zh: string; at: string; index_l: number; asked_by: string; asked_at: string; reason: string; decided_by: string | null }

const tabs = ['chart', 'life', 'frames', 'commands', 'edits'] as const;

async function load(serial: string, signal: AbortSignal) {
    const [meter, fittings, flags] = await Promise.all([get<Meter>(at`/v1/meters/${serial}`, {}, signal), all<Fitting>('/v1/fittings', { serial }, 1000, signal), all<Flag>('/v1/flags', { serial }, 1000, signal)]);
    const here = fittings.rows.find((f) => !f.to) ?? null;
    let point: Point | null = null;
    if (here) {
        try {
            point = await get<Point>(at`/v1/points/${here.point}`, {}, signal);
        } catch (e) {
            if (!(e instanceof Problem) || (e.status !== 404 && e.status !== 403)) throw e;
        }
    }
    return { meter, fittings: fittings.rows, here, point, flags: flags.rows };
}
type Loaded = Awaited<ReturnType<typeof load>>;

function Facts({ d }: { d: Loaded }) {
    const m = d.meter, p = d.point;
    const facts: [string, string | number | null | undefined][] = [
        [word('meter.point'), d.here?.point], [word('meter.address'), p?.address], [word('meter.account'), p?.account], [word('meter.use'), p?.use_class && named('use_class', p.use_class)], [word('meter.zone'), p?.zone], [word('meter.route'), p?.route],
        [word('meter.fitted'), d.here && when(d.here.from)], [word('meters.model'), m.model], ['DN', `${m.dn} mm`], ['Q3', `${m.q3} m³/h`], ['R', m.r], [word('meter.pulse'), m.resolution_l && `${number(m.resolution_l, m.resolution_l < 1 ? 3 : 0)} L`],
        [word('meters.dialect'), m.dialect], [word('meter.radio'), m.radio_id], [word('meter.batch'), m.batch], [word('meter.made'), m.made_on], [word('meter.verified'), m.verified_on], [word('meters.depot'), m.depot],
    ];
    return <dl class="facts small">{facts.filter(([, v]) => v !== null && v !== undefined && v !== '').map(([name, v]) => <><dt key={name}>{name}</dt><dd>{v}</dd></>)}</dl>;
}

/** The chart asks for itself, beside what else is known of the meter. */
function ChartTab({ serial, d }: { serial: string; d: Loaded | undefined }) {
    const [picked, pick] = useState('');
    const flag = d?.flags.find((f) => f.id === picked);
    const shown = useMemo(() => ({
        marks: flag ? [markOf(flag), ...instantsOf(flag)] : !d ? [] : [...d.flags.filter((f) => f.state !== 'withdrawn').map(markOf), ...d.fittings.flatMap((f) => [{ at: Date.parse(f.from) / 1000, label: word('meter.on', { point: f.point }), tint: 'quiet' as const }, ...(f.to ? [{ at: Date.parse(f.to) / 1000, label: word('meter.off'), tint: 'quiet' as const }] : [])])],
        limits: flag ? limitsOf(flag) : [],
    }), [d, flag, language.get()]);
    return (
        <div class="cols">
            <div class="card w9">
                <MeterChart serial={serial} marks={shown.marks} limits={shown.limits} height={360} days={flag ? Math.min(366, Math.ceil((now() - Date.parse(flag.onset)) / 86400e3) + 21) : 30} key={picked} />
            </div>
            {d && <div class="w3 stack">
                <section class="card" aria-labelledby="flags-of">
                    <h2 id="flags-of">{word('flags.title')}</h2>
                    {d.flags.length === 0 ? <p class="quiet">{word('meter.no_flags')}</p> : (
                        <ul class="lines">{[...d.flags].reverse().map((f) => (
                            <li key={f.id}>
                                <button type="button" class="plain pick" aria-pressed={picked === f.id} title={word('meter.draw')} onClick={() => pick(picked === f.id ? '' : f.id)}>{named('kind', f.kind)}</button>
                                <StateBadge section="flag_state" value={f.state} />
                                <span class="quiet small">{ago(f.onset)}</span>
                                <a class="small" href={link`/flags/${f.id}`}>{word('flag.open')}</a>
                            </li>
                        ))}</ul>
                    )}
                    {flag && <p class="says small">{language.get() === 'zh' ? flag.text_zh : flag.text_en}</p>}
                </section>
                <section class="card" aria-labelledby="facts-of"><h2 id="facts-of">{word('meter.facts')}</h2><Facts d={d} /></section>
            </div>}
        </div>
    );
}

function LifeTab({ serial }: { serial: string }) {
    const asked = useAsk((signal) => all<LifeEvent>(at`/v1/meters/${serial}/history`, {}, 5000, signal), [serial]);
    return (
        <Answer asked={asked}>{(d) => d.rows.length === 0 ? <Empty>{word('meter.no_life')}</Empty> : (
            <ol class="time-line card">{d.rows.map((e, n) => (
                <li key={n}>
                    <time dateTime={e.at}>{when(e.at)}</time>
                    <div>
                        <strong>{named('event', e.event)}</strong> <span class="quiet">→ {named('meter_state', e.state)}</span>
                        <div class="small">{[e.point, e.crew, e.depot, e.index_l !== null && `${m3(e.index_l)} m³`, e.document, e.certificate, e.seal, e.reason, e.note].filter(Boolean).join(' · ')}</div>
                        <div class="small quiet">{e.who}{e.order && <> · <a href={link`/orders/${e.order}`}>{e.order}</a></>}</div>
                    </div>
                </li>
            ))}</ol>
        )}</Answer>
    );
}

function FrameShown({ serial, frame, close }: { serial: string; frame: Frame; close: () => void }) {
    const asked = useAsk(async (signal) => {
        // The list is asked for by time, so that one frame alone is explained.
        const from = frame.arrived_at, to = new Date(Date.parse(from) + 1000).toISOString().slice(0, 19) + 'Z';
        const d = await list<Frame>(at`/v1/meters/${serial}/frames`, { from, to, explain: true, limit: 50 }, signal);
        return d.rows.find((f) => f.id === frame.id) ?? frame;
    }, [frame.id]);
    const f = asked.data ?? frame;
    return (
        <Dialog title={word('meter.frame', { at: when(f.arrived_at) })} close={close} wide>
            <p class="quiet small">{[f.dialect, f.transport, f.peer, `${f.len} B`, f.fault].filter(Boolean).join(' · ')}</p>
            <pre class="bytes" tabIndex={0}>{f.bytes.replace(/(..)/g, '$1 ').trim()}</pre>
            {asked.busy ? <Loading /> : asked.problem ? <p class="refusal">{asked.problem.detail}</p> : !f.explain?.fields?.length ? <p class="quiet">{word('meter.not_explained')}</p> : (
                <div class="scroll" tabIndex={0} role="region" aria-label={word('meter.fields')}>
                    <table class="plain-table">
                        <thead><tr><th class="end">{word('meter.offset')}</th><th>{word('meter.bytes')}</th><th>{word('meter.field')}</th><th class="end">{word('meter.value')}</th><th>{word('meter.meaning')}</th></tr></thead>
                        <tbody>{f.explain.fields.map((x, n) => (
                            <tr key={n}><td class="end">{x.layer ? `${x.layer} ` : ''}{x.offset}</td><td><code>{x.bytes}</code></td><td>{x.field}</td><td class="end">{x.value} {x.unit}</td><td>{[x.is, x.meaning].filter(Boolean).join(' · ')}</td></tr>
                        ))}</tbody>
                    </table>
                </div>
            )}
        </Dialog>
    );
}

function FramesTab({ serial }: { serial: string }) {
    const asked = useAsk((signal) => list<Frame>(at`/v1/meters/${serial}/frames`, { limit: 500 }, signal), [serial]);
    const [shown, show] = useState<Frame | null>(null);
    const columns: Column<Frame>[] = [
        { id: 'at', head: word('meter.arrived'), cell: (f) => when(f.arrived_at), sort: (f) => f.arrived_at, priority: 1, width: '10rem' },
        { id: 'dialect', head: word('meters.dialect'), cell: (f) => f.dialect ?? '–', sort: (f) => f.dialect, priority: 1 },
        { id: 'way', head: word('meter.way'), cell: (f) => f.transport, sort: (f) => f.transport },
        { id: 'peer', head: word('meter.peer'), cell: (f) => f.peer ?? '–', sort: (f) => f.peer, priority: 3, width: 'minmax(11rem, 1fr)' },
        { id: 'len', head: word('meter.len'), cell: (f) => f.len, sort: (f) => f.len, end: true, width: '6rem' },
        { id: 'bytes', head: word('meter.bytes'), cell: (f) => <code>{f.bytes.slice(0, 64)}</code>, text: (f) => f.bytes, priority: 3, width: 'minmax(10rem, 3fr)' },
        { id: 'fault', head: word('meter.fault'), cell: (f) => f.fault ?? '', sort: (f) => f.fault, priority: 3 },
    ];
    return (
        <>
            <Answer asked={asked}>{(d) => <Table name={word('meter.frames')} columns={columns} rows={d.rows} id={(f) => f.id} open={show} more={!!d.next} empty={word('meter.no_frames')} />}</Answer>
            {shown && <FrameShown serial={serial} frame={shown} close={() => show(null)} />}
        </>
    );
}

/** A second person says yes or no to an edit, or to taking one back. */
function Second({ edit, yes, close }: { edit: Edit; yes: boolean; close: (changed: boolean) => void }) {
    const form = useForm({ note: '' }, (v, key) => post(`${at`/v1/edits/${edit.id}`}/${yes ? 'approve' : 'refuse'}`, v.note ? { note: v.note } : {}, key), () => close(true));
    return (
        <Dialog title={word(yes ? 'meter.approve' : 'meter.refuse')} close={() => close(false)}>
            <p>{language.get() === 'zh' ? edit.text_zh : edit.text_en}</p>
            <p class="quiet">{edit.asked_by}: {edit.reason}</p>
            <Form form={form} send={word(yes ? 'meter.approve' : 'meter.refuse')} close={() => close(false)}><Field form={form} name="note" label={word('base.note')} /></Form>
        </Dialog>
    );
}

function EditsTab({ point }: { point: string | null }) {
    const asked = useAsk(async (signal) => (point ? all<Edit>('/v1/edits', { point }, 2000, signal) : { rows: [], more: false }), [point]);
    useLive(['edit'], useCallback(() => asked.again(), []));
    const [said, say] = useState<{ edit: Edit; yes: boolean } | null>(null);
    const waits = (e: Edit) => e.state === 'waiting' || e.state === 'undo-waiting';
    const columns: Column<Edit>[] = [
        { id: 'asked', head: word('meter.asked_at'), cell: (e) => when(e.asked_at), sort: (e) => e.asked_at, priority: 1, width: '10rem' },
        { id: 'at', head: word('meter.of'), cell: (e) => when(e.at), sort: (e) => e.at, width: '10rem' },
        { id: 'index', head: word('meter.index'), cell: (e) => m3(e.index_l), sort: (e) => e.index_l, end: true, priority: 1, width: '8rem' },
        { id: 'state', head: word('meters.state'), cell: (e) => <StateBadge section="edit_state" value={e.state} />, sort: (e) => e.state, priority: 1 },
        { id: 'by', head: word('meter.by'), cell: (e) => e.asked_by, sort: (e) => e.asked_by },
        { id: 'reason', head: word('base.reason'), cell: (e) => e.reason, sort: (e) => e.reason, priority: 3, width: 'minmax(8rem, 2fr)' },
        ...(may('billing') ? [{ id: 'say', head: word('meter.second'), cell: (e: Edit) => waits(e) && <span class="row-of tight"><button type="button" class="quiet" onClick={() => say({ edit: e, yes: true })}>{word('meter.approve')}</button><button type="button" class="quiet" onClick={() => say({ edit: e, yes: false })}>{word('meter.refuse')}</button></span>, priority: 1 as const, width: '11rem' }] : []),
    ];
    return (
        <>
            <Answer asked={asked}>{(d) => <Table name={word('meter.edits')} columns={columns} rows={d.rows} id={(e) => String(e.id)} sorted={['asked', false]} empty={word('meter.no_edits')} />}</Answer>
            {said && <Second edit={said.edit} yes={said.yes} close={(changed) => { say(null); if (changed) asked.again(); }} />}
        </>
    );
}

/** The list that a tab shows, as a file. */
const listOf = (tab: (typeof tabs)[number], serial: string, point?: string) => (tab === 'edits' ? { path: '/v1/edits', query: { point: point ?? '' } } : { path: `${at`/v1/meters/${serial}`}/${{ chart: 'readings', life: 'history', frames: 'frames', commands: 'commands' }[tab]}` });

export default function OneMeter({ names, query }: ViewProps) {
    const serial = names.serial;
    const asked = useAsk((signal) => load(serial, signal), [serial]);
    useLive(['flag', 'meter'], useCallback(() => asked.again(), []));
    const tab = tabs.find((t) => t === query.get('tab')) ?? 'chart';
    return (
        <>
            <div class="crumbs"><a href="#/meters">{word('meters.title')}</a></div>
            <div class="head">
                <h1>{word('meter.title', { serial })}</h1>
                {asked.data && <StateBadge section="meter_state" value={asked.data.meter.state} />}
                {asked.data?.point?.address && <span class="quiet">{asked.data.point.address}</span>}
                <div class="head-end"><Exports {...listOf(tab, serial, asked.data?.here?.point)} /></div>
            </div>
            <nav class="tabs" aria-label={word('meter.parts')}>{tabs.filter((t) => t !== 'edits' || may('all')).map((t) => (
                <button key={t} type="button" aria-current={tab === t ? 'page' : undefined} onClick={() => filter({ tab: t === 'chart' ? null : t })}>{word(`meter.${t}`)}</button>
            ))}</nav>
            {asked.problem && <Answer asked={asked}>{() => null}</Answer>}
            {(asked.data || !asked.problem) && (
                <>
                    {tab === 'chart' && <ChartTab serial={serial} d={asked.data} />}
                    {tab === 'life' && <LifeTab serial={serial} />}
                    {tab === 'frames' && <FramesTab serial={serial} />}
                    {tab === 'commands' && <Commands serial={serial} />}
                    {tab === 'edits' && asked.data && <EditsTab point={asked.data.here?.point ?? null} />}
                </>
            )}
        </>
    );
}
