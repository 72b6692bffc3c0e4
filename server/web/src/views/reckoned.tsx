// How a point's figure over a span was reckoned: every part, the readings that its ends rest on, the rule and the sum, as the server explains it.
import { at, get } from '../base/api';
import { useAsk } from '../base/ask';
import { m3, number, when } from '../base/format';
import { link } from '../base/router';
import { language, named, word } from '../base/words';
import { StateBadge } from '../parts/badge';
import { Answer } from '../parts/states';

interface Read { time: string; index_l: number; source: string }
interface End { at: string; rule: string; text_en: string; text_zh: string; register_l: number | null; formula?: string; before?: Read; after?: Read }
interface Part { kind: string; from: string; to: string; rule: string; text_en: string; text_zh: string; serial?: string; formula?: string; formula_m3?: string; start?: End; end?: End; consumption_l: number | null }
interface Check { rule: string; version: number; flagged: boolean; parameters: Record<string, unknown>; inputs: Record<string, unknown> }
interface Use {
    from: string; to: string; consumption_l: number | null; billed_m3: number | null; quality: string; method: string | null; checks: string[];
    explain: { formula: string | null; parts: Part[]; left_off: number }; check_inputs: Check[];
}
const said = (x: { text_en: string; text_zh: string }) => (language.get() === 'zh' ? x.text_zh : x.text_en);
const pairs = (of: Record<string, unknown>) => Object.entries(of).map(([name, v]) => `${name} ${typeof v === 'number' ? number(v, Number.isInteger(v) ? 0 : 3) : String(v)}`).join(', ');

function EndOf({ name, end }: { name: string; end: End }) {
    const reads = [end.before, end.after].filter((r): r is Read => !!r);
    return (
        <>
            <dt>{name} {when(end.at)}</dt>
            <dd>
                {m3(end.register_l)} <span class="quiet">{said(end)} ({end.rule})</span>
                {reads.map((r) => <div key={r.time} class="small quiet">{when(r.time)}: {m3(r.index_l)} {named('source', r.source)}</div>)}
            </dd>
        </>
    );
}

export function Reckoned({ point, from, to }: { point: string; from: string; to: string }) {
    const asked = useAsk((signal) => get<Use>(at`/v1/points/${point}/consumption`, { from, to, explain: 1 }, signal), [point, from, to]);
    return (
        <Answer asked={asked}>{(u) => (
            <div class="stack">
                <p><strong>{m3(u.consumption_l)} m³</strong> · {word('reckoned.billed', { n: u.billed_m3 ?? '–' })} · <StateBadge section="quality" value={u.quality} /> {u.method && <span class="quiet">{named('method', u.method)}</span>}</p>
                {u.explain.formula && <p class="small quiet">{word('reckoned.litres')}: <code>{u.explain.formula}</code></p>}
                {u.explain.parts.map((p) => (
                    <div key={p.from} class="part-of">
                        <div>{p.serial ? <a href={link`/meters/${p.serial}`}>{p.serial}</a> : word('reckoned.no_meter')} <strong>{m3(p.consumption_l)} m³</strong> <span class="quiet small">{said(p)} ({p.rule})</span></div>
                        {p.start && p.end && <dl class="facts small"><EndOf name={word('reckoned.from')} end={p.start} /><EndOf name={word('reckoned.to')} end={p.end} /></dl>}
                    </div>
                ))}
                {u.explain.left_off > 0 && <p class="quiet">{word('reckoned.left_off', { n: u.explain.left_off })}</p>}
                {u.check_inputs.filter((c) => c.flagged).map((c) => <p key={c.rule} class="small"><strong>{named('check', c.rule)}</strong> <span class="quiet">{word('reckoned.version', { n: c.version })}: {pairs(c.inputs)} · {pairs(c.parameters)}</span></p>)}
            </div>
        )}</Answer>
    );
}
