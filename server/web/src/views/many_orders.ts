// Orders of many marked rows, one request each. What nobody answered is kept as it was asked, under its own Idempotency-Key, so that asked again it is made once, whatever its row says by then.
import { newKey, post, Problem } from '../base/api';
import { onLeave } from '../base/session';
import { word } from '../base/words';

export interface Wish { kind: string; serial?: string; point?: string; reason: string; flag?: string }
const nameOf = (wish: Wish): string => wish.serial ?? wish.point ?? '';

const unheard = new Map<string, { wish: Wish; key: string }>();
onLeave(() => unheard.clear());

/** One after the other, up to the first to which nobody answers; `left`: meters and points that have no order by it. */
export async function makeOrders(wishes: Wish[]): Promise<{ left: string[]; said: { tone: string; text: string } }> {
    const left: string[] = [], refused: string[] = [];
    let lost = false;
    for (const wish of wishes) {
        const row = `${wish.kind} ${nameOf(wish)}`;
        const asked = unheard.get(row) ?? { wish, key: newKey() };
        if (!lost) {
            unheard.set(row, asked);
            try {
                await post('/v1/orders', asked.wish, asked.key);
                unheard.delete(row);
                continue;
            } catch (e) {
                lost = e instanceof Problem && (e.lost || e.status >= 500);
                if (!lost) unheard.delete(row);
                refused.push(`${nameOf(wish)}: ${(e as Problem).detail ?? String(e)}`);
            }
        }
        left.push(nameOf(wish));
    }
    const made = word('visits.ordered', { n: wishes.length - left.length });
    return { left, said: { tone: refused.length ? 'warn' : 'good', text: `${made} ${refused.slice(0, 3).join(' · ')}`.trim() } };
}
