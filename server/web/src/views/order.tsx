// An order of work: where, why, what is known of the meter, and the report of it. A report goes into the device's queue first, so that it is not lost where there is no signal.
import { useEffect, useState } from 'preact/hooks';
import { at, post, Problem } from '../base/api';
import { useAsk } from '../base/ask';
import { now } from '../base/facts';
import { ago, m3, when } from '../base/format';
import { acts, change, enqueue, onSent, orderPath, type Act } from '../base/queue';
import { go, link } from '../base/router';
import { may, session } from '../base/session';
import { theStop, type Stop } from '../base/stops';
import { useStore } from '../base/store';
import { language, named, word } from '../base/words';
import { Badge, StateBadge } from '../parts/badge';
import { Field, Form, useForm, type FormState } from '../parts/form';
import { PlaceMap } from '../parts/map';
import { Photo } from '../parts/photo';
import { Scan } from '../parts/scan';
import { Answer } from '../parts/states';
import type { ViewProps } from '../views';

// What may be said of an order, by its kind (server/fleet/order.def).
const results: Record<string, string[]> = {
    replace: ['done', 'not-found', 'no-access', 'buried', 'refused'],
    inspect: ['done', 'repaired', 'not-found', 'stopped', 'reversed', 'broken', 'unreadable', 'vacant', 'no-access', 'buried', 'refused'],
    verify: ['done', 'not-found', 'sent', 'no-access', 'buried', 'refused'],
    repair: ['done', 'repaired', 'not-found', 'stopped', 'reversed', 'broken', 'no-access', 'buried', 'refused'],
    read: ['done', 'stopped', 'reversed', 'broken', 'unreadable', 'vacant', 'no-access', 'buried', 'refused'],
};
const LEAP_M3 = 1000; // beyond the last reading: asked once more

interface Values { result: string; old: string; serial: string; fresh: string; seal: string; certificate: string; note: string; photo: Blob | undefined }

/** Litres of what was typed in m³, with a point or a comma; null: it is no such figure. */
export function litres(text: string): number | null {
    const t = text.trim().replace(',', '.');
    return /^\d{1,9}(\.\d{1,3})?$/.test(t) ? Math.round(Number(t) * 1000) : null;
}

const typed = (l: unknown): string => (typeof l === 'number' ? String(l / 1000) : '');

function body_of(s: Stop, v: Values, made: string): Record<string, unknown> {
    const index = (name: 'old' | 'fresh'): number => {
        const l = litres(v[name]);
        if (l === null) throw new Problem(422, word('order.index_wrong'), name);
        return l;
    };
    const body: Record<string, unknown> = { result: v.result, at: made };
    if (s.kind === 'replace' && v.result === 'done') {
        if (v.serial.trim() === s.serial) throw new Problem(422, word('order.same_meter'), 'serial');
        Object.assign(body, { index_l: index('old'), new_serial: v.serial.trim(), new_index_l: index('fresh') });
    } else if (v.old.trim()) {
        body.index_l = index('old');
    }
    if (v.certificate.trim()) body.certificate = v.certificate.trim();
    if (v.seal.trim()) body.seal = v.seal.trim();
    if (v.note.trim()) body.note = v.note.trim();
    return body;
}

const first_of = (s: Stop, act: Act | undefined): Values => {
    const b = act?.body ?? {};
    return {
        result: String(b.result ?? 'done'), old: typed(b.index_l), serial: String(b.new_serial ?? ''), fresh: b.new_index_l === undefined ? (s.kind === 'replace' && !act ? '0' : '') : typed(b.new_index_l),
        seal: String(b.seal ?? ''), certificate: String(b.certificate ?? ''), note: String(b.note ?? ''), photo: act?.photo,
    };
};

/** What the server named, in the names of this form. */
const fields: Record<string, string> = { index_l: 'old', old_index_l: 'old', new_index_l: 'fresh', new_serial: 'serial' };

function Exchange({ form, s }: { form: FormState<Values>; s: Stop }) {
    return (
        <>
            <Field form={form} name="old" label={word('order.old_index', { serial: s.serial ?? '–' })} hint={s.last_index_l === null ? word('order.index_hint') : word('order.last_index', { index: m3(s.last_index_l), at: when(s.last_read_at) })} type="number" required />
            <Field form={form} name="serial" label={word('order.new_serial')} required more={{ autocomplete: 'off', autocapitalize: 'characters', spellcheck: false }} />
            <Scan take={(serial) => form.set({ serial })} />
            <Field form={form} name="fresh" label={word('order.new_index')} hint={word('order.index_hint')} type="number" required />
            <Field form={form} name="seal" label={word('order.seal')} more={{ autocomplete: 'off' }} />
        </>
    );
}

function Report({ s, act, done }: { s: Stop; act: Act | undefined; done: () => void }) {
    const [made] = useState(() => String(act?.body.at ?? new Date(now()).toISOString().replace(/\.\d+Z/, 'Z')));
    const form = useForm<Values, void>(first_of(s, act), async (v) => {
        const body = body_of(s, v, made);
        const old = body.index_l as number | undefined;
        if (old !== undefined && s.last_index_l !== null && (old < s.last_index_l || old > s.last_index_l + LEAP_M3 * 1000) && !window.confirm(word('order.index_sure', { index: m3(s.last_index_l) }))) throw new Problem(422, word('order.index_again'), 'old');
        if (act?.body.photo && !v.photo) body.photo = act.body.photo;
        if (act) await change(act, body, v.photo);
        else await enqueue({ path: orderPath(s.order), body, photo: v.photo, about: s.order, label: `${named('order_kind', s.kind)} · ${s.address ?? s.point ?? s.serial}` });
    }, done);
    const refused = act?.refused && !form.problem ? act.refused : null;
    const replaced = s.kind === 'replace' && form.values.result === 'done';
    return (
        <section class="card" aria-labelledby="report-title">
            <h2 id="report-title">{replaced ? word('order.exchange') : word('order.report')}</h2>
            {refused && <div class="strip bad" role="alert">{refused.detail}{fields[refused.field] ? ` (${word(`order.field_${fields[refused.field]}` as 'order.field_old')})` : ''}</div>}
            <Form form={form} send={act ? word('order.send_again') : word('order.send')} close={() => go('#/')}>
                <Field form={form} name="result" label={word('order.result')} options={(results[s.kind] ?? ['done']).map((r) => [r, r === 'done' ? word(`order.done_${s.kind}` as 'order.done_replace') : named('result', r)])} />
                {replaced ? <Exchange form={form} s={s} /> : <Field form={form} name="old" label={word('order.index')} hint={word('order.index_hint')} type="number" required={s.kind === 'read' && form.values.result === 'done'} />}
                {s.kind === 'verify' && form.values.result === 'done' && <Field form={form} name="certificate" label={word('order.certificate')} required />}
                <Photo value={form.values.photo} take={(photo) => form.set({ photo })} />
                <Field form={form} name="note" label={word('order.note')} type="textarea" />
            </Form>
        </section>
    );
}

function Facts({ s }: { s: Stop }) {
    const text = language.get() === 'zh' ? s.text_zh : s.text_en;
    const rows: [string, preact.ComponentChildren][] = [
        [word('order.address'), s.address ?? '–'], [word('order.point'), s.point ?? '–'], [word('order.account'), s.account ?? '–'], [word('order.meter'), s.serial ? `${s.serial}${s.dn ? ` · DN ${s.dn}` : ''}` : '–'],
        [word('order.phone'), s.phone ? <a href={`tel:${s.phone.replace(/[^+\d]/g, '')}`}>{s.phone}</a> : '–'],
        [word('order.due'), <>{when(s.due)} {s.late && <Badge tone="bad">{word('order.late')}</Badge>}</>],
        [word('order.why'), named('order_reason', text ?? s.reason)], [word('order.note'), s.note ?? '–'],
        [word('order.last'), s.last_index_l === null ? '–' : `${m3(s.last_index_l)} m³ · ${when(s.last_read_at)}`],
    ];
    return <dl class="facts">{rows.filter(([, v]) => v !== '–').map(([k, v]) => <><dt>{k}</dt><dd>{v}</dd></>)}</dl>;
}

/** What became of an order that is closed. */
function Outcome({ s }: { s: Stop }) {
    const rows: [string, preact.ComponentChildren][] = [];
    if (s.result) rows.push([word('order.result'), s.result === 'done' ? word(`order.done_${s.kind}` as 'order.done_replace') : named('result', s.result)]);
    if (s.done_at) rows.push([word('order.at'), <>{when(s.done_at)}{s.closed_by ? ` · ${s.closed_by}` : ''}</>]);
    if (s.index_l != null) rows.push([s.new_serial ? word('order.old_index', { serial: s.serial ?? '–' }) : word('order.index'), m3(s.index_l)]);
    if (s.new_serial) rows.push([word('order.new_serial'), <a href={link`/meters/${s.new_serial}`}>{s.new_serial}</a>]);
    if (s.new_index_l != null) rows.push([word('order.new_index'), m3(s.new_index_l)]);
    return (
        <>
            <div class="strip good" role="status">{word('order.closed')}</div>
            {rows.length > 0 && <section class="card"><h2>{word('order.report')}</h2><dl class="facts">{rows.map(([k, v]) => <><dt>{k}</dt><dd>{v}</dd></>)}</dl></section>}
        </>
    );
}

function Start({ s, again }: { s: Stop; again: () => void }) {
    const form = useForm({}, (_, key) => post(at`/v1/orders/${s.order}/start`, {}, key), again);
    return <>{form.problem && <p class="refusal" role="alert">{form.problem.detail}</p>}<button type="button" disabled={form.busy} onClick={() => void form.send()}>{word('order.start')}</button></>;
}

export default function Order({ names, query }: ViewProps) {
    const asked = useAsk((signal) => theStop(names.order, signal), [names.order]);
    const queued = useStore(acts);
    useEffect(() => onSent((about) => about === names.order && asked.again()), [names.order, asked.again]);
    return (
        <Answer asked={asked}>{(s) => {
            const act = queued.find((a) => a.about === s.order);
            const changing = act?.refused && query.get('act') === String(act.id);
            const live = ['open', 'assigned', 'started'].includes(s.state);
            const mine = may('chief') || !s.assignee || s.assignee === session.get()!.name;
            return (
                <>
                    <p class="crumbs"><a href="#/">{word('today.title')}</a></p>
                    <div class="head"><h1>{named('order_kind', s.kind)} · {s.address ?? s.point ?? s.serial}</h1>
                        <div class="head-end"><span class="quiet">{s.order}</span> <StateBadge section="order_state" value={s.state} /> {live && mine && s.state !== 'started' && !act && !s.kept && may('crew') && <Start s={s} again={asked.again} />}</div></div>
                    {s.kept && <div class="strip warn" role="status">{word('order.kept')}</div>}
                    <div class="cols">
                        <div class="w5 stack">
                            <section class="card"><h2>{word('order.about')}</h2><Facts s={s} /></section>
                            {s.lat !== null && s.lon !== null && <PlaceMap name={word('order.where')} height="14rem" spots={[{ id: s.order, lat: s.lat, lon: s.lon, label: s.address ?? s.point ?? s.order, text: '' }]} />}
                        </div>
                        <div class="w7">
                            {act && !changing ? (
                                <div class={`strip ${act.refused ? 'bad' : 'warn'}`} role="status">
                                    {act.refused ? <>{act.refused.detail} <a href={`#/orders/${encodeURIComponent(s.order)}?act=${act.id}`}>{word('queue.change')}</a></> : act.full ? word('queue.full') : word('order.queued', { ago: ago(act.made) })}
                                </div>
                            ) : !live ? <Outcome s={s} />
                                : !may('crew') ? null
                                : mine ? <Report key={act?.id ?? 'new'} s={s} act={act} done={() => go('#/')} />
                                : <div class="strip warn" role="status">{word('order.others', { who: s.assignee! })}</div>}
                        </div>
                    </div>
                </>
            );
        }}</Answer>
    );
}
