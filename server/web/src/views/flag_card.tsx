// A flag: what it says, its evidence drawn on the meter's chart, and what somebody makes of it: confirm, dismiss, an order.
import { useEffect, useState } from 'preact/hooks';
import { at, list, post } from '../base/api';
import { useAsk } from '../base/ask';
import { now } from '../base/facts';
import { ago, duration, m3, percent, when } from '../base/format';
import { link } from '../base/router';
import { may } from '../base/session';
import { language, named, word } from '../base/words';
import { StateBadge } from '../parts/badge';
import { Dialog } from '../parts/dialog';
import { Field, Form, useForm } from '../parts/form';
import { MeterChart } from '../parts/meter_chart';
import { figure, instantsOf, limitsOf, markOf, type Flag } from './evidence';

interface Order { order: string; kind: string; state: string; assignee: string | null; due: string | null }
interface Crew { crew: string; name: string | null }

const DRAWN_BEFORE_DAYS = 14;

function Decide({ flag, state, close }: { flag: Flag; state: 'confirmed' | 'dismissed'; close: (changed: boolean) => void }) {
    const form = useForm({ note: '' }, (v, key) => post(at`/v1/flags/${flag.id}`, { state, ...(v.note ? { note: v.note } : {}) }, key), () => close(true));
    return (
        <Dialog title={word(state === 'confirmed' ? 'flag.confirm' : 'flag.dismiss')} close={() => close(false)}>
            <p>{word(state === 'confirmed' ? 'flag.confirm_about' : 'flag.dismiss_about')}</p>
            <Form form={form} send={word(state === 'confirmed' ? 'flag.confirm' : 'flag.dismiss')} close={() => close(false)}>
                <Field form={form} name="note" label={word('base.note')} type="textarea" required={state === 'dismissed'} />
            </Form>
        </Dialog>
    );
}

const usual: Record<string, string> = { leak: 'inspect', burst: 'repair', stuck: 'replace', unmoved: 'inspect', reversed: 'inspect', slow: 'replace', fast: 'replace', silent: 'inspect', overdue: 'replace', battery: 'replace' };

function Order({ flag, close }: { flag: Flag; close: (order: Order | null) => void }) {
    const crews = useAsk((signal) => list<Crew>('/v1/crews', { limit: 500 }, signal), []);
    const form = useForm({ kind: usual[flag.kind] ?? 'inspect', priority: flag.severity === 'urgent' || flag.severity === 'high' ? 'high' : 'normal', assignee: '', note: '' },
        (v, key) => post<Order>('/v1/orders', { kind: v.kind, flag: flag.id, priority: v.priority, ...(v.assignee ? { assignee: v.assignee } : {}), ...(v.note ? { note: v.note } : {}) }, key), (o) => close(o));
    return (
        <Dialog title={word('flag.order')} close={() => close(null)}>
            <Form form={form} send={word('flag.make_order')} close={() => close(null)}>
                <Field form={form} name="kind" label={word('flag.order_kind')} options={['inspect', 'repair', 'replace', 'verify', 'read'].map((k) => [k, named('order_kind', k)])} />
                <Field form={form} name="priority" label={word('flag.priority')} options={['urgent', 'high', 'normal', 'low'].map((k) => [k, named('priority', k)])} />
                <Field form={form} name="assignee" label={word('flag.assignee')} options={[['', word('flag.nobody')], ...(crews.data?.rows ?? []).map((c): [string, string] => [c.crew, c.name ? `${c.name} (${c.crew})` : c.crew])]} />
                <Field form={form} name="note" label={word('base.note')} />
            </Form>
        </Dialog>
    );
}

export function FlagCard({ flag: f, changed, brief }: { flag: Flag; changed: () => void; brief?: boolean }) {
    const [act, setAct] = useState<'confirmed' | 'dismissed' | 'order' | null>(null);
    const orders = useAsk((signal) => list<Order>('/v1/orders', { flag: f.id, limit: 20 }, signal), [f.id]);
    const [marks, setMarks] = useState([markOf(f)]), [limits, setLimits] = useState(limitsOf(f));
    useEffect(() => {
        setMarks([markOf(f), ...(brief ? [] : instantsOf(f))]);
        setLimits(limitsOf(f));
    }, [f, brief, language.get()]);
    const end = f.cleared_at ? Date.parse(f.cleared_at) / 1000 + 3 * 86400 : undefined;
    const days = Math.min(366, Math.ceil(((end ?? now() / 1000) - Date.parse(f.onset) / 1000) / 86400) + DRAWN_BEFORE_DAYS);
    return (
        <section class="card stack" aria-label={word('flag.flag')}>
            <div>
                {brief && <h2 class="tight">{named('kind', f.kind)} {f.point && <span class="quiet">{f.point}</span>}</h2>}
                <div class="row-of"><StateBadge section="flag_state" value={f.state} /><StateBadge section="severity" value={f.severity} />{f.serial && <a href={link`/meters/${f.serial}`}>{f.serial}</a>}{brief && <a class="push" href={link`/flags/${f.id}`}>{word('flag.open')}</a>}</div>
            </div>
            <p class="says">{language.get() === 'zh' ? f.text_zh : f.text_en}</p>
            {f.serial && <MeterChart serial={f.serial} days={days} until={end} marks={marks} limits={limits} height={brief ? 200 : 340} plain={brief} />}
            <div class={brief ? '' : 'cols'}>
            <dl class="facts small w6">
                <dt>{word('flag.since')}</dt><dd>{when(f.onset)} <span class="quiet">{ago(f.onset)}</span></dd>
                <dt>{word('flag.told')}</dt><dd>{when(f.raised_at)} <span class="quiet">{word('flag.after', { span: duration((Date.parse(f.raised_at) - Date.parse(f.onset)) / 1000) })}</span></dd>
                {f.cleared_at && <><dt>{word('flag.ended')}</dt><dd>{when(f.cleared_at)}</dd></>}
                {f.lost_lpd ? <><dt>{word('flag.lost')}</dt><dd>{m3(f.lost_lpd)} m³/d {f.lost_low !== null && f.lost_high !== null && <span class="quiet">({m3(f.lost_low)} – {m3(f.lost_high)})</span>}</dd></> : null}
                <dt>{word('flag.sure')}</dt><dd>{percent(f.confidence, 0)}</dd>
                {f.decided_by && <><dt>{word('flag.decided')}</dt><dd>{f.decided_by}, {when(f.decided_at)}{f.note && <>: {f.note}</>}</dd></>}
            </dl>
            {!brief && (
                <div class="w6">
                    <h2 class="small-head">{word('flag.evidence')}</h2>
                    <dl class="facts small">{Object.entries(f.evidence).map(([name, v]) => <><dt key={name}>{named('evidence', name)}</dt><dd>{figure(name, v)}</dd></>)}</dl>
                </div>
            )}
            </div>
            {(orders.data?.rows.length ?? 0) > 0 && (
                <div>{brief ? <h3>{word('flag.orders')}</h3> : <h2 class="small-head">{word('flag.orders')}</h2>}<ul class="lines">{orders.data!.rows.map((o) => <li key={o.order}><a href={link`/orders/${o.order}`}>{o.order}</a><span>{named('order_kind', o.kind)}</span><StateBadge section="order_state" value={o.state} /><span class="quiet">{o.assignee ?? word('flag.nobody')}</span></li>)}</ul></div>
            )}
            {may('chief') && (
                <div class="row-of noprint">
                    <button type="button" class="primary" onClick={() => setAct('order')}>{word('flag.order')}</button>
                    {f.state !== 'confirmed' && <button type="button" onClick={() => setAct('confirmed')}>{word('flag.confirm')}</button>}
                    {f.state !== 'dismissed' && <button type="button" onClick={() => setAct('dismissed')}>{word('flag.dismiss')}</button>}
                </div>
            )}
            {(act === 'confirmed' || act === 'dismissed') && <Decide flag={f} state={act} close={(yes) => { setAct(null); if (yes) changed(); }} />}
            {act === 'order' && <Order flag={f} close={(o) => { setAct(null); if (o) { orders.again(); changed(); } }} />}
        </section>
    );
}
