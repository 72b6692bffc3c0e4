// A note of the store: its figures and its meters; good on paper, too.
import { all, at, get } from '../base/api';
import { useAsk } from '../base/ask';
import { number, when } from '../base/format';
import { link } from '../base/router';
import { named, word } from '../base/words';
import { Badge } from '../parts/badge';
import { Exports } from '../parts/exports';
import { Answer } from '../parts/states';
import { Table, type Column } from '../parts/table';
import type { ViewProps } from '../views';

interface Paper { paper: string; kind: string; number: string; at: string; meters: number; missing?: number; surplus?: number; unknown?: number; ordered?: number; received?: number; short?: number; over?: number; failed?: number; verdict?: string }
interface Line { serial: string; what: string; state: string | null; crew: string | null; depot: string | null; point: string | null }
const figures = ['meters', 'ordered', 'received', 'short', 'over', 'missing', 'surplus', 'unknown', 'failed'] as const;

async function load(paper: string, signal: AbortSignal) {
    const [p, lines] = await Promise.all([get<Paper>(at`/v1/papers/${paper}`, {}, signal), all<Line>(at`/v1/papers/${paper}/meters`, {}, 20000, signal)]);
    return { paper: p, lines: lines.rows, more: lines.more };
}

export default function PaperPage({ names }: ViewProps) {
    const asked = useAsk((signal) => load(names.paper, signal), [names.paper]);
    const columns: Column<Line>[] = [
        { id: 'serial', head: word('replacements.meter'), cell: (l) => <a href={link`/meters/${l.serial}`}>{l.serial}</a>, sort: (l) => l.serial, priority: 1 },
        { id: 'what', head: word('paper.what'), cell: (l) => <Badge tone={l.what === 'done' || l.what === 'pass' ? 'good' : 'warn'}>{named('paper_what', l.what)}</Badge>, sort: (l) => l.what, priority: 1 },
        { id: 'state', head: word('stock.state'), cell: (l) => named('meter_state', l.state), sort: (l) => l.state },
        { id: 'where', head: word('paper.where'), cell: (l) => l.point ?? l.crew ?? l.depot ?? '–', sort: (l) => l.point ?? l.crew ?? l.depot },
    ];
    return (
        <Answer asked={asked}>{({ paper: p, lines, more }) => (
            <>
                <div class="head"><div><div class="crumbs"><a href="#/stock">{word('stock.title')}</a></div><h1>{named('paper_kind', p.kind)} {p.number}</h1></div>
                    <div class="head-end"><Exports path={at`/v1/papers/${names.paper}/meters`} /><button type="button" onClick={() => window.print()}>{word('replacements.print')}</button></div></div>
                <p class="quiet">{when(p.at)}{p.verdict && <> · <Badge tone={p.verdict === 'accepted' ? 'good' : 'bad'}>{named('verdict', p.verdict)}</Badge></>}</p>
                <ul class="figures">{figures.filter((f) => typeof p[f] === 'number').map((f) => <li key={f} class="figure"><b>{number(p[f])}</b><span>{word(`paper.${f}`)}</span></li>)}</ul>
                <Table name={word('paper.meters')} columns={columns} rows={lines} id={(l) => `${l.serial} ${l.what}`} empty={word('stock.none')} more={more} />
            </>
        )}</Answer>
    );
}
