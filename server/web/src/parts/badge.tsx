// Small marks. Each says its state by word and shape, not by colour alone.
import type { ComponentChildren } from 'preact';
import { named, type Section } from '../base/words';

export type Tone = 'plain' | 'good' | 'warn' | 'bad' | 'info';
const shapes: Record<Tone, string> = { plain: '○', good: '✓', warn: '▲', bad: '■', info: '●' };

export function Badge({ tone = 'plain', children }: { tone?: Tone; children: ComponentChildren }) {
    return <span class={`badge ${tone}`}><span aria-hidden="true">{shapes[tone]}</span> {children}</span>;
}

const tones: Record<string, Tone> = {
    open: 'warn', urgent: 'bad', high: 'bad', medium: 'warn', low: 'info', confirmed: 'bad', dismissed: 'plain', cleared: 'good', withdrawn: 'plain',
    done: 'good', closed: 'good', cancelled: 'plain', assigned: 'info', started: 'info', late: 'bad', new: 'info',
    ok: 'good', running: 'good', faulty: 'bad', suspended: 'warn', lost: 'bad', failed: 'bad', expired: 'warn', delivered: 'info', sent: 'info', waiting: 'warn', 'in-force': 'good', refused: 'bad',
    agrees: 'good', read: 'good', missing: 'bad', disputed: 'bad', signed: 'good', actual: 'good', estimated: 'warn', edited: 'info',
};
/** A state of the server's, by the words of a section. */
export function StateBadge({ section, value }: { section: Section; value: string | null | undefined }) {
    return value ? <Badge tone={tones[value] ?? 'plain'}>{named(section, value)}</Badge> : <>–</>;
}
