// The reader's day: my routes, what arrived of each, and what is odd, to begin with at once.
import { useCallback, useState } from 'preact/hooks';
import { all, at } from '../base/api';
import { useAsk } from '../base/ask';
import { addDays, today } from '../base/format';
import { useLive } from '../base/live';
import { link } from '../base/router';
import { session } from '../base/session';
import { language, word } from '../base/words';
import { Badge } from '../parts/badge';
import { Answer, Empty } from '../parts/states';
import { standing, Standing, type Route } from './routes';
import type { SheetRow } from './sheet';

const ODD_SHOWN = 12;

async function load(signal: AbortSignal) {
    const me = session.get()!.name;
    const routes = (await all<Route>('/v1/routes', { reader: me }, 500, signal)).rows;
    const stands = await Promise.all(routes.map((r) => standing(r.route, today(), true)));
    const odd: (SheetRow & { route: string })[] = [];
    for (const r of routes.filter((_, n) => stands[n].odd + stands[n].missing + stands[n].disputed > 0)) {
        if (odd.length >= ODD_SHOWN) break;
        const rows = (await all<SheetRow>(at`/v1/routes/${r.route}/day`, { date: today() }, 20000, signal)).rows;
        odd.push(...rows.filter((row) => ['odd', 'missing', 'disputed'].includes(row.state)).slice(0, ODD_SHOWN - odd.length).map((row) => ({ ...row, route: r.route })));
    }
    return { routes, stands, odd };
}

export default function TodayReader() {
    const [turn, more] = useState(0);
    const asked = useAsk(load, []);
    useLive(['route-day', 'route-row', 'reading', 'import'], useCallback(() => { asked.again(); more((n) => n + 1); }, []));
    const date = today();
    return (
        <>
            <h1>{word('today.title')} <span class="quiet">{date}</span></h1>
            <Answer asked={asked}>{({ routes, stands, odd }) => {
                if (!routes.length) return <Empty>{word('today.no_routes')} <a href="#/routes">{word('routes.title')}</a></Empty>;
                const sum = (of: 'all' | 'ok' | 'missing' | 'odd' | 'disputed' | 'signed') => stands.reduce((n, s) => n + s[of], 0);
                return (
                    <>
                        <ul class="figures">
                            <li class="figure"><b>{sum('ok') + sum('odd') + sum('signed')}</b><span>{word('today.arrived_of', { all: sum('all') })}</span></li>
                            <li class="figure"><b>{sum('missing')}</b><span>{word('today.missing')}</span></li>
                            <li class="figure"><b>{sum('odd') + sum('disputed')}</b><span>{word('today.odd')}</span></li>
                            <li class="figure"><b>{stands.filter((s) => s.all && s.signed === s.all).length}</b><span>{word('today.signed_of', { all: routes.length })}</span></li>
                        </ul>
                        <div class="cols">
                            <section class="card w6" aria-labelledby="my-routes">
                                <h2 id="my-routes">{word('today.my_routes')}</h2>
                                <ul class="lines">{routes.map((r) => (
                                    <li key={r.route}>
                                        <a href={link`/routes/${r.route}/day/${date}`}><strong>{r.route}</strong>{r.name && r.name !== r.route ? ` ${r.name}` : ''}</a>
                                        <Standing route={r.route} date={date} turn={turn} />
                                        <a class="small" href={link`/routes/${r.route}/day/${addDays(date, -1)}`}>{word('today.yesterday')}</a>
                                    </li>
                                ))}</ul>
                            </section>
                            <section class="card w6" aria-labelledby="odd-rows">
                                <h2 id="odd-rows">{word('today.look_at')}</h2>
                                {odd.length === 0 ? <p class="quiet">{word('today.nothing_odd')}</p> : (
                                    <ul class="lines">{odd.map((r) => (
                                        <li key={r.route + r.point}>
                                            <a href={`${link`/routes/${r.route}/day/${date}`}?row=${encodeURIComponent(r.point)}`}>{r.address ?? r.point}</a>
                                            <Badge tone={r.state === 'missing' ? 'bad' : 'warn'}>{(language.get() === 'zh' ? r.reason_zh : r.reason_en) ?? word('routes.disputed', { n: 1 })}</Badge>
                                        </li>
                                    ))}</ul>
                                )}
                            </section>
                        </div>
                    </>
                );
            }}</Answer>
        </>
    );
}
