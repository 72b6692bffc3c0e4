// The billing clerk's day: cycles that are not closed with what stands in their way, edits that wait for a second person, points that nobody knows.
import { useCallback } from 'preact/hooks';
import { all, at, get, list } from '../base/api';
import { useAsk } from '../base/ask';
import { ago, day, m3, number, today } from '../base/format';
import { useLive } from '../base/live';
import { link } from '../base/router';
import { named, word } from '../base/words';
import { Badge, StateBadge } from '../parts/badge';
import { Answer } from '../parts/states';
import type { CycleShown } from './cycle';
import type { Cycle } from './cycles';

interface Waiting { id: number; state: string; point: string; delta_l: number | null; asked_by: string; asked_at: string }
interface Adjusted { id: number; delta_m3: number }
const OPEN_SHOWN = 6;

async function load(signal: AbortSignal) {
    const cycles = (await all<Cycle>('/v1/cycles', {}, 5000, signal)).rows;
    const closed = cycles.filter((c) => c.state === 'closed').sort((a, b) => b.to.localeCompare(a.to));
    const [waiting, undo, adjustments] = await Promise.all([
        list<Waiting>('/v1/edits', { state: 'waiting', limit: 50 }, signal), list<Waiting>('/v1/edits', { state: 'undo-waiting', limit: 50 }, signal),
        closed[0] ? all<Adjusted>('/v1/adjustments', { cycle: closed[0].cycle }, 20000, signal) : { rows: [] as Adjusted[], more: false },
    ]);
    return { open: cycles.filter((c) => c.state !== 'closed'), waiting: [...waiting.rows, ...undo.rows], closed: closed[0], adjustments };
}
const most = (p: { rows: unknown[]; next: string | null }) => `${number(p.rows.length)}${p.next ? '+' : ''}`;

/** Which points have to be visited is asked of every point of the city: the rest of the view does not wait for it. */
function Visits() {
    const asked = useAsk((signal) => list<unknown>('/v1/visits', { limit: 1000 }, signal), []);
    return <b>{asked.data ? most(asked.data) : '–'}</b>;
}

/** A cycle at once, and what closing it now would freeze when the server has reckoned it. */
function Open({ cycle: c }: { cycle: Cycle }) {
    const asked = useAsk((signal) => Promise.all([get<CycleShown>(at`/v1/cycles/${c.cycle}`, {}, signal), list<unknown>(at`/v1/cycles/${c.cycle}/review`, { limit: 1000 }, signal)]), [c.cycle]);
    useLive(['cycle', 'edit'], useCallback(() => asked.again(), []));
    const [shown, review] = asked.data ?? [];
    return (
        <li>
            <a href={link`/cycles/${c.cycle}`}><strong>{c.cycle}</strong></a> <StateBadge section="cycle_state" value={c.state} /> <span class="quiet">{day(c.from)} – {day(c.to)}</span>
            {shown && review && (
                <span class="row-of tight">
                    {shown.missing ? <Badge tone="bad">{word('today_billing.missing', { n: shown.missing })}</Badge> : null}
                    {review.rows.length ? <a href={`${link`/cycles/${c.cycle}`}?tab=review`}><Badge tone="warn">{word('today_billing.to_review', { n: most(review) })}</Badge></a> : null}
                    {shown.estimated ? <Badge tone="info">{word('today_billing.estimated', { n: shown.estimated })}</Badge> : null}
                    {!shown.missing && !review.rows.length && <Badge tone="good">{word('today_billing.ready')}</Badge>}
                </span>
            )}
            {asked.problem && <span class="refusal">{asked.problem.detail}</span>}
        </li>
    );
}

export default function TodayBilling() {
    const asked = useAsk(load, []);
    useLive(['cycle', 'edit', 'adjustment'], useCallback(() => asked.again(), []));
    return (
        <>
            <div class="head"><h1>{word('today.title')} <span class="quiet">{today()}</span></h1><div class="head-end"><a class="button primary" href="#/cycles">{word('cycles.title')}</a></div></div>
            <Answer asked={asked}>{({ open, waiting, closed, adjustments }) => (
                <>
                    <ul class="figures">
                        <li><a class="figure" href="#/cycles"><b>{number(open.length)}</b><span>{word('today_billing.open')}</span></a></li>
                        <li><a class="figure" href="#/edits?state=waiting"><b>{number(waiting.length)}</b><span>{word('today_billing.waiting')}</span></a></li>
                        <li><a class="figure" href="#/visits"><Visits /><span>{word('today_billing.visits')}</span></a></li>
                        <li><a class="figure" href="#/adjustments"><b>{number(adjustments.rows.length)}</b><span>{closed ? word('today_billing.adjusted', { cycle: closed.cycle }) : word('adjustments.title')}</span></a></li>
                    </ul>
                    <div class="cols">
                        <section class="card w7" aria-labelledby="open-cycles">
                            <h2 id="open-cycles">{word('today_billing.open')}</h2>
                            {open.length === 0 ? <p class="quiet">{word('today_billing.none_open')} <a href="#/cycles">{word('cycles.open')}</a></p>
                                : <ul class="lines">{open.slice(0, OPEN_SHOWN).map((c) => <Open key={c.cycle} cycle={c} />)}</ul>}
                            {closed && <p class="small quiet">{word('today_billing.last', { cycle: closed.cycle, n: number(closed.points), m3: number(closed.billed_m3) })}</p>}
                        </section>
                        <section class="card w5" aria-labelledby="waiting">
                            <h2 id="waiting">{word('today_billing.waiting')}</h2>
                            {waiting.length === 0 ? <p class="quiet">{word('today_billing.none_waiting')}</p> : (
                                <ul class="lines">{waiting.slice(0, 12).map((e) => <li key={e.id}><a href={`#/edits?state=${e.state}`}>{e.point}</a> <span>{m3(e.delta_l)} m³</span> <span class="quiet">{named('edit_state', e.state)} · {e.asked_by}, {ago(e.asked_at)}</span></li>)}</ul>
                            )}
                        </section>
                    </div>
                </>
            )}</Answer>
        </>
    );
}
