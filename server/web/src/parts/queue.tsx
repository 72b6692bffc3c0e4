// What waits on this device to be sent: in sight at all times, and what the server refused with its own sentence.
import { ago } from '../base/format';
import { acts, drop, flush, state, type Act } from '../base/queue';
import { link } from '../base/router';
import { useStore } from '../base/store';
import { word } from '../base/words';
import { Badge } from './badge';

/** In the frame's head. */
export function QueueLine() {
    const all = useStore(acts), s = useStore(state);
    const refused = all.filter((a) => a.refused).length, waiting = all.length - refused;
    if (!all.length && s !== 'sent') return null;
    return (
        <span role="status"><a class="queue-line" href="#/">
            {refused > 0 && <Badge tone="bad">{word('queue.refused', { n: refused })}</Badge>}
            {waiting > 0 && <Badge tone={s === 'sending' ? 'info' : 'warn'}>{s === 'sending' ? word('queue.sending') : word('queue.waiting', { n: waiting })}</Badge>}
            {all.some((a) => a.full) && <Badge tone="bad">{word('queue.no_room')}</Badge>}
            {!all.length && <Badge tone="good">{word('queue.sent')}</Badge>}
        </a></span>
    );
}

function Row({ act }: { act: Act }) {
    return (
        <li class={act.refused ? 'refused' : ''}>
            <div><strong>{act.label}</strong> <span class="quiet small">{ago(act.made)}</span></div>
            {act.refused ? (
                <>
                    <p class="refusal">{act.refused.detail}</p>
                    <div class="row-of">
                        <a class="button" href={`${link`/orders/${act.about}`}?act=${act.id}`}>{word('queue.change')}</a>
                        <button type="button" class="plain" onClick={() => window.confirm(word('queue.drop_sure')) && void drop(act)}>{word('queue.drop')}</button>
                    </div>
                </>
            ) : act.full ? <p class="refusal">{word('queue.full')}</p> : <Badge tone="warn">{act.tried ? word('queue.unsure') : word('queue.waits')}</Badge>}
        </li>
    );
}

export function Queue() {
    const all = useStore(acts), s = useStore(state);
    if (!all.length) return null;
    return (
        <section class="card queue" aria-labelledby="queue-title">
            <h2 id="queue-title">{word('queue.title', { n: all.length })}</h2>
            <p class="quiet small">{word('queue.about')}</p>
            <ul>{all.map((a) => <Row key={a.id} act={a} />)}</ul>
            {all.some((a) => !a.refused) && <button type="button" disabled={s === 'sending'} onClick={() => void flush()}>{word('queue.now')}</button>}
        </section>
    );
}
