// A chart over time by uPlot: lines, bars and bands, marks with a reason, zoom by drag, buttons and keyboard (+ − ← → 0).
//
//   <Chart name={…} unit="m³" x={seconds} lines={[{ label, values, as: 'bars' }]} marks={[{ at, label }]} zoom={(from, to) => …} />
// x is in seconds since 1970, ascending; a value of null is a gap.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { zone } from '../base/facts';
import { number, when } from '../base/format';
import { useStore } from '../base/store';
import { word } from '../base/words';
import { theme } from './theme';

export type Tint = 'one' | 'two' | 'three' | 'four' | 'warn' | 'quiet';
export interface Line { label: string; values: (number | null)[]; as?: 'line' | 'bars' | 'steps' | 'points'; tint?: Tint; decimals?: number; axis?: 'left' | 'right' }
/** A vertical mark; with `until` a window. */
export interface Mark { at: number; until?: number; label: string; tint?: Tint }
/** A horizontal line: what a rule holds values against. */
export interface Limit { value: number; label: string; axis?: 'left' | 'right' }

/** A cross: something that takes no part. */
export interface Dot { at: number; value: number; axis?: 'left' | 'right'; label: string }

export interface ChartProps {
    name: string;
    unit: string;
    rightUnit?: string;
    x: number[];
    lines: Line[];
    marks?: Mark[];
    limits?: Limit[];
    dots?: Dot[];
    legend?: boolean;                           // default: there is one
    height?: number;
    span?: [number, number];                    // what is in sight; default: all of x
    zoom?: (from: number, to: number) => void;  // somebody wants to see that: load it finer
    reset?: () => void;                         // and back to all
}

const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const tint = (t: Tint): string => colour(`--tint-${t}`);

function inside(u: uPlot, draw: (ctx: CanvasRenderingContext2D) => void): void {
    const { ctx } = u, { left, top, width, height } = u.bbox;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    draw(ctx);
    ctx.restore();
}

/** Windows lie behind what is drawn. */
function draw_windows(u: uPlot, p: ChartProps): void {
    inside(u, (ctx) => {
        ctx.globalAlpha = 0.15;
        for (const m of p.marks ?? []) {
            if (!m.until) continue;
            const a = u.valToPos(m.at, 'x', true), b = u.valToPos(m.until, 'x', true);
            ctx.fillStyle = tint(m.tint ?? 'warn');
            ctx.fillRect(a, u.bbox.top, Math.max(devicePixelRatio, b - a), u.bbox.height);
        }
    });
}

/** Texts that do not lie on each other: each takes the first free place, or none. */
function labels(ctx: CanvasRenderingContext2D, ground: string) {
    const px = devicePixelRatio, taken: [number, number, number, number][] = [];
    ctx.font = `600 ${11 * px}px system-ui, sans-serif`;
    ctx.textBaseline = 'top';
    ctx.textAlign = 'left'; // the axes leave it as they used it last
    return (text: string, colour_: string, places: [x: number, y: number][]) => {
        const w = ctx.measureText(text).width + 6 * px, h = 14 * px;
        const free = places.find(([x, y]) => taken.every(([a, b, c, d]) => x >= a + c || x + w <= a || y >= b + d || y + h <= b));
        if (!text || !free) return;
        taken.push([free[0], free[1], w, h]);
        ctx.globalAlpha = 0.9;
        ctx.fillStyle = ground;
        ctx.fillRect(free[0], free[1], w, h);
        ctx.globalAlpha = 1;
        ctx.fillStyle = colour_;
        ctx.fillText(text, free[0] + 3 * px, free[1] + 1.5 * px);
    };
}

function draw_marks(u: uPlot, p: ChartProps): void {
    const { left, top, width, height } = u.bbox, px = devicePixelRatio, right = left + width;
    inside(u, (ctx) => {
        const label = labels(ctx, colour('--card'));
        const wide = (text: string) => ctx.measureText(text).width + 6 * px;
        const upright = (x: number) => {
            ctx.beginPath();
            ctx.moveTo(x, top);
            ctx.lineTo(x, top + height);
            ctx.stroke();
        };
        ctx.lineWidth = 1.5 * px;
        for (const m of p.marks ?? []) {
            const a = u.valToPos(m.at, 'x', true), b = m.until ? u.valToPos(m.until, 'x', true) : a;
            if (b < left || a > right) continue;
            ctx.strokeStyle = tint(m.tint ?? 'warn');
            ctx.setLineDash([4 * px, 3 * px]);
            upright(a);
            if (m.until) upright(b);
            const x = Math.max(left + 2 * px, Math.min(a + 3 * px, right - wide(m.label)));
            label(m.label, tint(m.tint ?? 'warn'), [0, 1, 2, 3].map((n) => [x, top + (3 + 15 * n) * px]));
        }
        ctx.setLineDash([]);
        ctx.strokeStyle = tint('warn');
        ctx.lineWidth = 2 * px;
        for (const d of p.dots ?? []) {
            const x = u.valToPos(d.at, 'x', true), y = u.valToPos(d.value, d.axis === 'right' ? 'right' : 'y', true), r = 4 * px;
            ctx.beginPath();
            ctx.moveTo(x - r, y - r);
            ctx.lineTo(x + r, y + r);
            ctx.moveTo(x - r, y + r);
            ctx.lineTo(x + r, y - r);
            ctx.stroke();
        }
        ctx.lineWidth = 1.5 * px;
        ctx.setLineDash([6 * px, 4 * px]);
        for (const l of p.limits ?? []) {
            const y = u.valToPos(l.value, l.axis === 'right' ? 'right' : 'y', true);
            ctx.beginPath();
            ctx.moveTo(left, y);
            ctx.lineTo(right, y);
            ctx.stroke();
        }
        for (const l of p.limits ?? []) { // behind all lines, so that none strikes a text through
            const y = u.valToPos(l.value, l.axis === 'right' ? 'right' : 'y', true), w = wide(l.label);
            label(l.label, tint('warn'), [right - w - 2 * px, left + 2 * px, left + (width - w) / 2].flatMap((x): [number, number][] => [[x, Math.max(top, y - 16 * px)], [x, Math.min(top + height - 14 * px, y + 3 * px)]]));
        }
    });
}

function options(p: ChartProps, width: number, height: number): uPlot.Options {
    const ink = colour('--quiet'), grid = colour('--line');
    const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: '12px system-ui, sans-serif' };
    const right = p.lines.some((l) => l.axis === 'right');
    const shown = (unit: string) => (_: uPlot, vs: number[]) => vs.map((v) => `${number(v, v !== 0 && Math.abs(v) < 1 ? 3 : Number.isInteger(v) ? 0 : 2)}${v === vs[vs.length - 1] ? ` ${unit}` : ''}`);
    return {
        width, height,
        tzDate: (s) => uPlot.tzDate(new Date(s * 1e3), zone()),
        cursor: { drag: { x: true, y: false, setScale: !p.zoom }, points: { size: 7 } },
        legend: { show: p.legend ?? true, live: true },
        scales: {
            x: { time: true, ...(p.span ? { min: p.span[0], max: p.span[1] } : {}) },
            y: { range: (_, min, max) => range_of(min, max, p.limits?.filter((l) => l.axis !== 'right'), p.lines.some((l) => l.as === 'bars')) },
            ...(right ? { right: { range: (_: uPlot, min: number, max: number) => range_of(min, max, p.limits?.filter((l) => l.axis === 'right')) } } : {}),
        },
        axes: [
            { ...axis, values: [[31536e3, '{YYYY}', null, null, null, null, null, null, 1], [2419200, '{YYYY}-{MM}', null, null, null, null, null, null, 1], [86400, '{MM}-{DD}', '\n{YYYY}', null, null, null, null, null, 1], [60, '{HH}:{mm}', '\n{YYYY}-{MM}-{DD}', null, '\n{MM}-{DD}', null, null, null, 1]] },
            { ...axis, size: 64, values: shown(p.unit) },
            ...(right ? [{ ...axis, side: 1, scale: 'right', size: 64, grid: { show: false }, values: shown(p.rightUnit ?? '') }] : []),
        ],
        series: [
            { label: word('chart.time'), value: (_, v) => (v ? when(v * 1000) : '–') },
            ...p.lines.map((l, n): uPlot.Series => {
                const c = tint(l.tint ?? (['one', 'two', 'three', 'four'] as const)[n % 4]);
                return {
                    label: l.label, stroke: c, width: l.as === 'bars' ? 0 : 1.75, scale: l.axis === 'right' ? 'right' : 'y', spanGaps: false,
                    fill: l.as === 'bars' ? c : undefined,
                    paths: l.as === 'bars' ? uPlot.paths.bars!({ size: [0.85, 120], align: 1 }) : l.as === 'steps' ? uPlot.paths.stepped!({ align: 1 }) : l.as === 'points' ? () => null : undefined,
                    points: { show: l.as === 'points' || (l.as !== 'bars' && p.x.length < 60), size: l.as === 'points' ? 8 : 5, fill: c },
                    value: (_, v) => (v === null || v === undefined ? '–' : `${number(v, l.decimals ?? 3)} ${l.axis === 'right' ? p.rightUnit : p.unit}`),
                };
            }),
        ],
        hooks: {
            drawClear: [(u) => draw_windows(u, p)],
            draw: [(u) => draw_marks(u, p)],
            setSelect: [(u) => {
                if (!p.zoom || u.select.width < 8) return;
                const from = u.posToVal(u.select.left, 'x'), to = u.posToVal(u.select.left + u.select.width, 'x');
                u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
                p.zoom(from, to);
            }],
        },
    };
}

function range_of(min: number | null, max: number | null, limits: Limit[] = [], bars = false): [number, number] {
    let low = min ?? 0, high = max ?? 1;
    if (bars) { // a bar is as long as what it says
        low = Math.min(0, low);
        high = Math.max(0, high);
    }
    for (const l of limits) {
        low = Math.min(low, l.value);
        high = Math.max(high, l.value);
    }
    if (low >= 0 && low < 0.4 * high) low = 0;
    const room = (high - low || Math.abs(high) || 1) * 0.08;
    return [low === 0 ? 0 : low - room, high === 0 && low < 0 ? 0 : high + room];
}

export function Chart(p: ChartProps) {
    const box = useRef<HTMLDivElement>(null);
    const dark = useStore(theme);
    useEffect(() => {
        const b = box.current!;
        const height = p.height ?? 280;
        const u = new uPlot(options(p, b.clientWidth, height), [p.x, ...p.lines.map((l) => l.values)] as uPlot.AlignedData, b);
        const watching = new ResizeObserver(() => { if (b.clientWidth !== u.width) u.setSize({ width: b.clientWidth, height }); });
        watching.observe(b);
        return () => {
            watching.disconnect();
            u.destroy();
        };
    }, [p.x, p.lines, p.marks, p.limits, p.dots, p.height, p.span?.[0], p.span?.[1], dark, word('chart.time')]);

    const [from, to] = p.span ?? [p.x[0] ?? 0, p.x[p.x.length - 1] ?? 1];
    const look = (middle: number, width: number) => p.zoom?.(middle - width / 2, middle + width / 2);
    function key(e: KeyboardEvent): void {
        const width = to - from, middle = from + width / 2;
        if (e.key === '+' || e.key === '=') look(middle, width / 2);
        else if (e.key === '-') look(middle, width * 2);
        else if (e.key === 'ArrowLeft') look(middle - width / 4, width);
        else if (e.key === 'ArrowRight') look(middle + width / 4, width);
        else if (e.key === '0') p.reset?.();
        else return;
        e.preventDefault();
    }
    return (
        <figure class="chart" aria-label={p.name}>
            {p.zoom && (
                <div class="chart-tools noprint" role="toolbar" aria-label={word('chart.tools')} onKeyDown={key}>
                    <button type="button" class="quiet" aria-label={word('chart.earlier')} onClick={() => look((from + to) / 2 - (to - from) / 2, to - from)}>←</button>
                    <button type="button" class="quiet" aria-label={word('chart.out')} onClick={() => look((from + to) / 2, (to - from) * 2)}>−</button>
                    <button type="button" class="quiet" aria-label={word('chart.in')} onClick={() => look((from + to) / 2, (to - from) / 2)}>+</button>
                    <button type="button" class="quiet" aria-label={word('chart.later')} onClick={() => look((from + to) / 2 + (to - from) / 2, to - from)}>→</button>
                    {p.reset && <button type="button" class="quiet" onClick={p.reset}>{word('chart.all')}</button>}
                    <span class="quiet">{when(from * 1000)} – {when(to * 1000)}</span>
                </div>
            )}
            <div ref={box} class="plot" />
        </figure>
    );
}
