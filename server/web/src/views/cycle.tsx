// A billing cycle on its way: what stands in the way of closing it, what was looked at, its closing with the digest, and what changed afterwards.
import { useCallback, useState } from 'preact/hooks';
import { at, get, list, post } from '../base/api';
import { useAsk } from '../base/ask';
import { day, m3, number, percent, when } from '../base/format';
import { useLive } from '../base/live';
import { filter, link } from '../base/router';
import { may } from '../base/session';
import { named, word } from '../base/words';
import { StateBadge } from '../parts/badge';
import { Dialog } from '../parts/dialog';
import { Exports } from '../parts/exports';
import { Field, Form, useForm } from '../parts/form';
import { Answer } from '../parts/states';
import type { ViewProps } from '../views';
import { Adjustments } from './adjustments';
import { Determinants } from './determinants';
import { Review } from './review';

export interface CycleShown {
    cycle: string; state: 'open' | 'reviewed' | 'closed'; from: string; to: string; routes: string[];
    opened_at: string; opened_by: string; reviewed_at: string | null; reviewed_by: string | null; closed_at: string | null; closed_by: string | null; digest: string | null;
    points: number | null; actual: number | null; edited: number | null; estimated: number | null; missing: number | null; elsewhere: number | null;
    consumption_l: number | null; billed_m3: number | null; edits_waiting: number | null; missing_points: { point: string; why: string }[] | null;
}
const qualities = ['actual', 'edited', 'estimated', 'missing'] as const;
const tabs = ['standing', 'review', 'figures', 'unsettled', 'adjustments'] as const;
type Tab = (typeof tabs)[number];
const tabsOf = (c: CycleShown): readonly Tab[] => (c.state === 'closed' ? (['standing', 'figures', 'unsettled', 'adjustments'] as const) : (['standing', 'review', 'figures'] as const));

/** Four qualities side by side, each with its figure: the bar alone would say it by colour. */
function Shares({ of }: { of: CycleShown }) {
    const all = of.points ?? 0;
    if (!all || of.actual === null) return null;
    return (
        <div class="shares">
            <div class="bar" aria-hidden="true">{qualities.map((q) => of[q] ? <span key={q} class={`part ${q}`} style={{ flexGrow: of[q]! }} /> : null)}</div>
            <ul>{qualities.map((q) => <li key={q}><span class={`key ${q}`} aria-hidden="true" /> {named('quality', q)} <strong>{number(of[q])}</strong> <span class="quiet">{percent((of[q] ?? 0) / all)}</span></li>)}</ul>
        </div>
    );
}

function Standing({ cycle: c }: { cycle: CycleShown }) {
    return (
        <div class="cols">
            <section class="card w7 stack" aria-labelledby="standing">
                <h2 id="standing">{word('cycle.standing')}</h2>
                <Shares of={c} />
                {c.state !== 'closed' && !!c.edits_waiting && <div class="strip warn">{word('cycle.edits_waiting', { n: c.edits_waiting })} <a href="#/edits?state=waiting">{word('edits.title')}</a></div>}
                {!!c.elsewhere && <div class="strip">{word('cycle.elsewhere', { n: c.elsewhere })}</div>}
                {c.missing_points && c.missing_points.length > 0 ? (
                    <>
                        <h3>{word('cycle.missing_points', { n: c.missing ?? c.missing_points.length })}</h3>
                        <ul class="lines">{c.missing_points.slice(0, 30).map((p) => <li key={p.point}><a href={link`/points/${p.point}`}>{p.point}</a> <span class="quiet">{named('missing_why', p.why)}</span></li>)}</ul>
                        {c.missing_points.length > 30 && <p class="quiet">{word('cycle.more_missing')}</p>}
                    </>
                ) : c.points ? <p>{word('cycle.none_missing')}</p> : null}
            </section>
            <section class="card w5" aria-labelledby="facts">
                <h2 id="facts">{word('cycle.facts')}</h2>
                <dl class="facts">
                    <dt>{word('cycles.from')}</dt><dd>{when(c.from)}</dd>
                    <dt>{word('cycles.to')}</dt><dd>{when(c.to)}</dd>
                    <dt>{word('cycles.routes')}</dt><dd>{c.routes.slice(0, 40).join(', ')}{c.routes.length > 40 && ` … (${number(c.routes.length)})`}</dd>
                    <dt>{word('cycle.opened')}</dt><dd>{when(c.opened_at)} · {c.opened_by}</dd>
                    {c.reviewed_at && <><dt>{word('cycle.reviewed')}</dt><dd>{when(c.reviewed_at)} · {c.reviewed_by}</dd></>}
                    {c.closed_at && <><dt>{word('cycle.closed')}</dt><dd>{when(c.closed_at)} · {c.closed_by}</dd></>}
                    {c.digest && <><dt>SHA-256</dt><dd><code>{c.digest}</code></dd></>}
                </dl>
            </section>
        </div>
    );
}

function Looked({ cycle: c, close }: { cycle: CycleShown; close: (changed: boolean) => void }) {
    const form = useForm({ note: '' }, (v, key) => post(at`/v1/cycles/${c.cycle}/review`, v.note ? { note: v.note } : {}, key), () => close(true));
    return (
        <Dialog title={word('cycle.say_reviewed')} close={() => close(false)}>
            <p>{word('cycle.reviewed_about')}</p>
            <Form form={form} send={word('cycle.say_reviewed')} close={() => close(false)}><Field form={form} name="note" label={word('base.note')} type="textarea" /></Form>
        </Dialog>
    );
}

/** Closing has no way back: what it would freeze is said once more, and how many still wait to be looked at. */
function Close({ cycle: c, close }: { cycle: CycleShown; close: (changed: boolean) => void }) {
    const waiting = useAsk((signal) => list<unknown>(at`/v1/cycles/${c.cycle}/review`, { limit: 1 }, signal), [c.cycle]);
    const form = useForm({ note: '', sure: false }, (v, key) => post(at`/v1/cycles/${c.cycle}/close`, v.note ? { note: v.note } : {}, key), () => close(true));
    return (
        <Dialog title={word('cycle.close_title', { cycle: c.cycle })} close={() => close(false)}>
            <p>{word('cycle.close_about', { n: c.points ?? 0 })}</p>
            <ul>
                {!!c.missing && <li>{word('cycle.close_missing', { n: c.missing })}</li>}
                {!!c.estimated && <li>{word('cycle.close_estimated', { n: c.estimated })}</li>}
                {!!c.edits_waiting && <li>{word('cycle.edits_waiting', { n: c.edits_waiting })}</li>}
                {waiting.data && waiting.data.rows.length > 0 && <li>{word('cycle.close_unreviewed')} <a href={`${link`/cycles/${c.cycle}`}?tab=review`} onClick={() => close(false)}>{word('cycle.tab_review')}</a></li>}
            </ul>
            <Form form={form} send={word('cycle.close')} tone="danger" close={() => close(false)}>
                <Field form={form} name="note" label={word('base.note')} />
                <Field form={form} name="sure" label={word('cycle.close_sure')} type="checkbox" required />
            </Form>
        </Dialog>
    );
}

export default function CyclePage({ names, query }: ViewProps) {
    const { cycle } = names;
    const asked = useAsk((signal) => get<CycleShown>(at`/v1/cycles/${cycle}`, {}, signal), [cycle]);
    useLive(['cycle', 'edit', 'import', 'adjustment'], useCallback(() => asked.again(), []));
    const [act, setAct] = useState<'review' | 'close' | null>(null);
    const close = (changed: boolean) => {
        setAct(null);
        if (changed) asked.again();
    };
    return (
        <>
            <Answer asked={asked}>{(c) => {
                const shown = tabsOf(c), tab = shown.find((t) => t === query.get('tab')) ?? 'standing';
                return (
                    <>
                        <div class="head">
                            <div><div class="crumbs"><a href="#/cycles">{word('cycles.title')}</a></div><h1>{word('cycle.title', { cycle })} <StateBadge section="cycle_state" value={c.state} /></h1></div>
                            <span class="quiet nowrap">{day(c.from)} – {day(c.to)}</span>
                            <div class="head-end">
                                {may('billing') && c.state === 'open' && <button type="button" onClick={() => setAct('review')}>{word('cycle.say_reviewed')}</button>}
                                {may('billing') && c.state !== 'closed' && <button type="button" class="primary" onClick={() => setAct('close')}>{word('cycle.close')}</button>}
                            </div>
                        </div>
                        <ul class="figures">
                            <li class="figure"><b>{number(c.points)}</b><span>{word('cycles.points')}</span></li>
                            <li class="figure"><b>{number(c.billed_m3)}</b><span>{word('cycles.billed')}</span></li>
                            <li class="figure"><b>{m3(c.consumption_l, 0)}</b><span>{word('cycles.use')}</span></li>
                            <li class="figure"><b>{number(c.missing)}</b><span>{word('cycles.missing')}</span></li>
                            <li class="figure"><b>{number(c.estimated)}</b><span>{word('cycles.estimated')}</span></li>
                        </ul>
                        <nav class="tabs" aria-label={word('cycle.tabs')}>
                            {shown.map((t) => <a key={t} href={`${link`/cycles/${cycle}`}?tab=${t}`} aria-current={t === tab ? 'page' : undefined} onClick={(e) => { e.preventDefault(); filter({ tab: t, reason: null, quality: null }); }}>{word(`cycle.tab_${t}`)}</a>)}
                        </nav>
                        {tab === 'standing' && <Standing cycle={c} />}
                        {tab === 'review' && <Review cycle={cycle} query={query} />}
                        {tab === 'figures' && <Determinants cycle={cycle} path={c.state === 'closed' ? 'determinants' : 'preview'} query={query} />}
                        {tab === 'unsettled' && <Determinants cycle={cycle} path="unsettled" query={query} />}
                        {tab === 'adjustments' && <><div class="head"><div class="head-end"><Exports path="/v1/adjustments" query={{ cycle }} /></div></div><Adjustments cycle={cycle} /></>}
                        {act === 'review' && <Looked cycle={c} close={close} />}
                        {act === 'close' && <Close cycle={c} close={close} />}
                    </>
                );
            }}</Answer>
        </>
    );
}
