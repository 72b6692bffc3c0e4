// The routes, and how today's sheet of each stands: it is asked for when its row comes into sight.
import { useEffect, useState } from 'preact/hooks';
import { all, at } from '../base/api';
import { useAsk } from '../base/ask';
import { today } from '../base/format';
import { link } from '../base/router';
import { session } from '../base/session';
import { word } from '../base/words';
import { Badge } from '../parts/badge';
import { Exports } from '../parts/exports';
import { Answer } from '../parts/states';
import { Table, type Column } from '../parts/table';
import { counted, type SheetRow, type Counted } from './sheet';

export interface Route { route: string; org: string | null; reader: string | null; days: string | null; name: string | null }

const kept = new Map<string, Promise<Counted>>();
let keeping = '';

/** How a route's day stands. Kept while the page shows that day, since rows come and go with scrolling. */
export function standing(route: string, date: string, fresh = false): Promise<Counted> {
    if (keeping !== `${session.get()?.name} ${date}`) kept.clear();
    keeping = `${session.get()?.name} ${date}`;
    const known = kept.get(route);
    if (known && !fresh) return known;
    const asked = all<SheetRow>(at`/v1/routes/${route}/day`, { date }, 20000).then((d) => counted(d.rows));
    kept.set(route, asked);
    asked.catch(() => kept.delete(route));
    return asked;
}

export function Standing({ route, date, turn = 0 }: { route: string; date: string; turn?: number }) {
    const [c, put] = useState<Counted | null>(null);
    useEffect(() => {
        let wanted = true;
        standing(route, date, turn > 0).then((v) => wanted && put(v), () => undefined);
        return () => void (wanted = false);
    }, [route, date, turn]);
    if (!c) return <span class="quiet">…</span>;
    if (c.all === 0) return <span class="quiet">{word('routes.no_points')}</span>;
    if (c.signed === c.all) return <Badge tone="good">{word('routes.signed')}</Badge>;
    return (
        <span class="row-of tight">
            <span>{word('routes.arrived', { n: c.ok + c.odd + c.disputed, all: c.all })}</span>
            {c.missing > 0 && <Badge tone="bad">{word('routes.missing', { n: c.missing })}</Badge>}
            {c.odd > 0 && <Badge tone="warn">{word('routes.odd', { n: c.odd })}</Badge>}
            {c.disputed > 0 && <Badge tone="warn">{word('routes.disputed', { n: c.disputed })}</Badge>}
            {!c.missing && !c.odd && !c.disputed && <Badge tone="info">{word('routes.to_sign')}</Badge>}
        </span>
    );
}

export default function Routes() {
    const date = today();
    const asked = useAsk((signal) => all<Route>('/v1/routes', {}, 20000, signal), []);
    const columns: Column<Route>[] = [
        { id: 'route', head: word('routes.route'), cell: (r) => <a href={link`/routes/${r.route}/day/${date}`}>{r.route}</a>, sort: (r) => r.route, priority: 1, width: 'minmax(5rem, 1fr)' },
        { id: 'name', head: word('routes.name'), cell: (r) => r.name ?? '–', sort: (r) => r.name, priority: 3, width: 'minmax(6rem, 1.4fr)' },
        { id: 'reader', head: word('routes.reader'), cell: (r) => r.reader ?? '–', sort: (r) => r.reader },
        { id: 'org', head: word('routes.org'), cell: (r) => r.org ?? '–', sort: (r) => r.org, priority: 3 },
        { id: 'days', head: word('routes.days'), cell: (r) => (!r.days || r.days === 'daily' ? word('routes.daily') : r.days), sort: (r) => r.days, priority: 3 },
        { id: 'standing', head: word('routes.today'), cell: (r) => <Standing route={r.route} date={date} />, priority: 1, width: 'minmax(14rem, 2.6fr)' },
    ];
    return (
        <>
            <div class="head"><h1>{word('routes.title')}</h1><div class="head-end"><Exports path="/v1/routes" /></div></div>
            <Answer asked={asked}>{(d) => <Table name={word('routes.title')} columns={columns} rows={d.rows} id={(r) => r.route} empty={word('routes.none')} more={d.more}
                open={(r) => (location.hash = link`/routes/${r.route}/day/${date}`)} />}</Answer>
        </>
    );
}
