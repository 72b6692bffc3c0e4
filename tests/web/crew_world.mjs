// What a crew needs in the town: meters in its car, orders on its list.
import { today } from './house.mjs';

/** Once a house: `h.crew` has the orders of cai, each with its point, its meter and that one's last index in litres. */
export async function crewWorld(h, count = 5) {
    if (h.crew) return h.crew;
    const points = [];
    for (const p of (await h.api('/v1/points?limit=200')).rows.filter((q) => q.serial && q.lon && q.lat && q.use_class === 'residential')) {
        const { rows } = await h.api(`/v1/meters/${encodeURIComponent(p.serial)}/readings`);
        const last = rows.filter((r) => r.channel === 'forward' && !r.suspect).pop();
        if (last && points.length < count) points.push({ ...p, last });
    }
    const meters = points.map((p, n) => `NEW-${n + 1},15,2.5,2026-02-01,in-stock`);
    h.nilo(['import', 'crews', '-'], 'crew\ncai\n');
    h.nilo(['import', 'meters', '-'], `serial,dn,q3,verified_on,state\n${meters.join('\n')}\n`);
    h.crew = [];
    for (const [n, p] of points.entries()) {
        h.nilo(['meter', 'event', `NEW-${n + 1}`, 'issue', '--document', `IS-${n + 1}`, '--crew', 'cai']);
        const made = await h.api('/v1/orders', { kind: 'replace', point: p.point, reason: 'periodic' });
        h.crew.push({ order: made.order, point: p.point, old: p.serial, fresh: `NEW-${n + 1}`, last_l: p.last.index_l, closing_l: Math.ceil(p.last.index_l) + 250, last_at: p.last.time });
    }
    h.nilo(['tour', 'plan', today, '--crew', 'cai']);
    return h.crew;
}
