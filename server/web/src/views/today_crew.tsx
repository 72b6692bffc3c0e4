// A crew's day: its stops on a map in walking order, what waits to be sent, and a form a tap away. It opens without a signal, too.
import { useCallback, useEffect, useState } from 'preact/hooks';
import { useAsk } from '../base/ask';
import { ago, clock, day, number, today } from '../base/format';
import { useLive } from '../base/live';
import { acts, onSent } from '../base/queue';
import { go, link } from '../base/router';
import { session } from '../base/session';
import { theDay, type Stop } from '../base/stops';
import { useStore } from '../base/store';
import { language, named, word } from '../base/words';
import { Badge } from '../parts/badge';
import { Exports } from '../parts/exports';
import { PlaceMap } from '../parts/map';
import { Queue } from '../parts/queue';
import { Answer, Empty } from '../parts/states';

const due = (s: Stop): string => (day(s.due) === today() ? clock(s.due) : day(s.due));

function StopRow({ s, n, reported }: { s: Stop; n: number; reported: boolean }) {
    const text = language.get() === 'zh' ? s.text_zh : s.text_en;
    return (
        <li>
            <a href={link`/orders/${s.order}`} class={`stop${reported ? ' reported' : ''}`}>
                <span class="stop-number" aria-hidden="true">{n}</span>
                <span class="stop-text">
                    <strong>{s.address ?? s.point ?? s.serial}</strong>
                    <span class="small">{named('order_kind', s.kind)} · {s.serial ?? '–'}{text ?? s.reason ? ` · ${named('order_reason', text ?? s.reason)}` : ''}</span>
                    <span class="row-of small">
                        {reported ? <Badge tone="info">{word('crew.reported')}</Badge> : <Badge tone={s.late ? 'bad' : 'plain'}>{s.late ? word('crew.late', { at: due(s) }) : word('crew.due', { at: due(s) })}</Badge>}
                        {s.state === 'started' && <Badge tone="info">{named('order_state', s.state)}</Badge>}
                        {s.priority !== 'normal' && <Badge tone={s.priority === 'low' ? 'plain' : 'warn'}>{named('priority', s.priority)}</Badge>}
                    </span>
                </span>
            </a>
        </li>
    );
}

export default function TodayCrew() {
    const crew = session.get()!.name;
    const asked = useAsk((signal) => theDay(crew, signal), [crew]);
    const queued = useStore(acts);
    const [picked, pick] = useState('');
    const again = useCallback(() => asked.again(), [asked.again]);
    useLive(['order', 'tour'], again);
    useEffect(() => onSent(again), [again]);
    const reported = new Set(queued.map((a) => a.about));
    return (
        <>
            <div class="head"><h1>{word('crew.title')}</h1><div class="head-end"><Exports path="/v1/orders" query={{ assignee: crew }} /></div></div>
            <Queue />
            <Answer asked={asked}>{(d) => {
                const placed = d.stops.map((s, i) => ({ s, n: i + 1 })).filter(({ s }) => s.lat !== null && s.lon !== null);
                return (
                    <>
                        {d.kept && <div class="strip warn" role="status">{word('crew.kept', { ago: ago(d.at) })}</div>}
                        <p class="quiet">{word('crew.left', { n: d.stops.filter((s) => !reported.has(s.order)).length })}{d.metres > 0 && d.stops.some((s) => !reported.has(s.order)) && ` · ${word('crew.metres', { km: number(d.metres / 1000, 1) })}`}</p>
                        {d.stops.length === 0 ? <Empty>{word('crew.none')}</Empty> : (
                            <div class="cols">
                                <section class="w5" aria-labelledby="stops-title">
                                    <h2 id="stops-title">{word('crew.stops')}</h2>
                                    <ol class="stops">{d.stops.map((s, i) => <StopRow key={s.order} s={s} n={i + 1} reported={reported.has(s.order)} />)}</ol>
                                </section>
                                <div class="w7">
                                    <h2>{word('crew.way')}</h2>
                                    {placed.length === 0 ? <Empty>{word('crew.no_places')}</Empty> : (
                                        <PlaceMap name={word('crew.way')} line={true} picked={picked} height="26rem"
                                            spots={placed.map(({ s, n }) => ({ id: s.order, lat: s.lat!, lon: s.lon!, label: `${n}. ${s.address ?? s.point}`, text: String(n), tint: reported.has(s.order) ? 'quiet' : s.late ? 'warn' : 'one' }))}
                                            pick={(id) => (id === picked ? go(link`/orders/${id}`) : pick(id))} />
                                    )}
                                </div>
                            </div>
                        )}
                    </>
                );
            }}</Answer>
        </>
    );
}
