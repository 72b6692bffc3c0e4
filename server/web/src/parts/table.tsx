// A table of many rows, of which those in sight alone are drawn; an ARIA grid that the keyboard walks:
//   ↑ ↓ PageUp PageDown Home End   another row        Enter   opens it        Space   marks it, where rows can be marked        /   to the filter
// Where it has little room only columns of priority 1 are shown.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { word } from '../base/words';
import { Empty } from './states';

export interface Column<T> {
    id: string;
    head: string;
    cell: (row: T) => ComponentChildren;
    sort?: (row: T) => string | number | null | undefined; // without it the column is not sorted by
    text?: (row: T) => string;                             // what the filter finds; default: `sort`
    width?: string;                                        // of a CSS grid track; default: minmax(6rem, 1fr)
    end?: boolean;                                         // figures stand at the end
    priority?: 1 | 2 | 3;                                  // 1: always; 2: where the table has 560 px; 3: 1 000 px
}

export interface TableProps<T> {
    name: string; // what it is a table of, for those who hear it
    columns: Column<T>[];
    rows: T[];
    id: (row: T) => string;
    open?: (row: T) => void;
    active?: (row: T | undefined) => void; // the row that the keyboard stands on
    at?: string;                           // the row to begin on
    keys?: Record<string, (row: T) => unknown>; // letters that act on that row
    marked?: Set<string>;                  // rows can be marked
    mark?: (ids: Set<string>) => void;
    tone?: (row: T) => '' | 'warn' | 'bad' | 'good';
    empty: string;
    tools?: ComponentChildren; // beside the filter
    more?: boolean;            // there are rows that were not loaded
    height?: string;           // default: what the screen has
    filter?: boolean;          // default: from 8 rows on
    sorted?: [column: string, up: boolean];
}

const ROW_PX = 38, BEYOND = 12;

/** Of the place that the table has, not of the screen: a table beside something else is narrow on a wide one. */
function useWidth(box: { current: HTMLElement | null }): number {
    const [w, put] = useState(0);
    useLayoutEffect(() => {
        const measure = () => put(box.current!.clientWidth);
        const watching = new ResizeObserver(measure);
        watching.observe(box.current!);
        measure();
        return () => watching.disconnect();
    }, []);
    return w;
}

export function Table<T>(p: TableProps<T>) {
    const outer = useRef<HTMLDivElement>(null);
    const width = useWidth(outer);
    const [wanted, setWanted] = useState('');
    const [sorting, setSorting] = useState<[string, boolean] | null>(p.sorted ?? null);
    const [at, setAt] = useState(0);
    const [top, setTop] = useState(0);
    const [seen, setSeen] = useState(20 * ROW_PX);
    const box = useRef<HTMLDivElement>(null), search = useRef<HTMLInputElement>(null);
    const base = useId();
    const columns = p.columns.filter((c) => (c.priority ?? 2) === 1 || (c.priority ?? 2) <= (width >= 1000 ? 3 : width >= 560 ? 2 : 1));

    const rows = useMemo(() => {
        const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
        let found = p.rows;
        if (words.length) {
            found = found.filter((row) => {
                const text = p.columns.map((c) => (c.text ?? c.sort)?.(row) ?? '').join(' ').toLowerCase();
                return words.every((w) => text.includes(w));
            });
        }
        const by = sorting && p.columns.find((c) => c.id === sorting[0])?.sort;
        if (by) {
            const keyed = found.map((row) => [by(row), row] as const);
            const up = sorting[1] ? 1 : -1;
            keyed.sort(([a], [b]) => {
                if (a === b) return 0;
                if (a === null || a === undefined) return 1; // unknown ones last, either way
                if (b === null || b === undefined) return -1;
                return (typeof a === 'string' && typeof b === 'string' ? a.localeCompare(b, undefined, { numeric: true }) : a < b ? -1 : 1) * up;
            });
            found = keyed.map(([, row]) => row);
        }
        return found;
    }, [p.rows, wanted, sorting, p.columns.length]);

    useLayoutEffect(() => { // a link may name a row
        const n = p.at ? rows.findIndex((r) => p.id(r) === p.at) : -1;
        if (n > 0) move(n);
    }, [p.at, p.rows.length]);
    const here = Math.min(at, Math.max(0, rows.length - 1));
    useEffect(() => p.active?.(rows[here]), [rows, here]);
    useLayoutEffect(() => {
        const b = box.current;
        if (!b) return undefined;
        const measure = () => setSeen(b.clientHeight);
        const watching = new ResizeObserver(measure);
        watching.observe(b);
        measure();
        return () => watching.disconnect();
    }, [rows.length === 0]);
    useEffect(() => { // "/" goes to the filter from anywhere but a field
        const f = (e: KeyboardEvent) => {
            const t = e.target as HTMLElement;
            if (e.key !== '/' || e.ctrlKey || e.metaKey || t.closest('input, textarea, select, dialog')) return;
            if (search.current) {
                e.preventDefault();
                search.current.focus();
            }
        };
        document.addEventListener('keydown', f);
        return () => document.removeEventListener('keydown', f);
    }, []);

    function move(to: number): void {
        const n = Math.max(0, Math.min(rows.length - 1, to));
        const b = box.current;
        setAt(n);
        if (!b) return;
        const y = n * ROW_PX;
        if (y < b.scrollTop) b.scrollTop = y;
        else if (y + 2 * ROW_PX > b.scrollTop + b.clientHeight) b.scrollTop = y + 2 * ROW_PX - b.clientHeight;
    }
    function toggle(row: T): void {
        if (!p.mark || !p.marked) return;
        const ids = new Set(p.marked);
        if (!ids.delete(p.id(row))) ids.add(p.id(row));
        p.mark(ids);
    }
    function key(e: KeyboardEvent): void {
        if (e.target !== box.current && !(e.target as HTMLElement).closest('[role=row]')) return;
        const page = Math.max(1, Math.floor(seen / ROW_PX) - 2);
        const steps: Record<string, number> = { ArrowDown: here + 1, ArrowUp: here - 1, PageDown: here + page, PageUp: here - page, Home: 0, End: rows.length - 1 };
        if (e.key in steps) move(steps[e.key]);
        else if (e.key === 'Enter' && rows[here] && e.target === box.current) p.open?.(rows[here]);
        else if (p.keys?.[e.key.toLowerCase()] && rows[here] && !e.ctrlKey && !e.metaKey && !e.altKey) p.keys[e.key.toLowerCase()](rows[here]);
        else if (e.key === ' ' && rows[here] && p.mark && e.target === box.current) toggle(rows[here]);
        else return;
        e.preventDefault();
    }
    const tracks = (p.mark ? '2.4rem ' : '') + columns.map((c) => c.width ?? 'minmax(6rem, 1fr)').join(' ');
    const first = Math.max(0, Math.floor(top / ROW_PX) - BEYOND), last = Math.min(rows.length, Math.ceil((top + seen) / ROW_PX) + BEYOND);
    const filtered = p.filter ?? p.rows.length >= 8;
    return (
        <div class="table" ref={outer}>
            <div class="table-tools">
                {filtered && (
                    <input ref={search} type="search" class="filter" value={wanted} aria-label={word('table.filter', { name: p.name })} placeholder={word('table.filter_hint')}
                        onInput={(e) => { setWanted(e.currentTarget.value); setAt(0); }}
                        onKeyDown={(e) => { if (e.key === 'ArrowDown' || e.key === 'Enter') { e.preventDefault(); box.current?.focus(); } }} />
                )}
                {p.tools}
                <span class="count" role="status">
                    {p.rows.length === 0 ? '' : rows.length === p.rows.length ? word('table.rows', { n: rows.length }) : word('table.some', { n: rows.length, all: p.rows.length })}
                    {p.more && ` ${word('table.more')}`}
                </span>
            </div>
            {rows.length === 0 ? <Empty>{p.rows.length ? word('table.none_found') : p.empty}</Empty> : (
                <div ref={box} class="grid" role="grid" tabIndex={0} aria-label={p.name} aria-rowcount={rows.length + 1} aria-colcount={columns.length + (p.mark ? 1 : 0)}
                    aria-multiselectable={p.mark ? true : undefined} aria-activedescendant={`${base}-${here}`} onKeyDown={key} onScroll={(e) => setTop(e.currentTarget.scrollTop)}
                    style={{ maxHeight: p.height ?? 'max(16rem, calc(100vh - 17rem))' }}>
                    <div class="row heads" role="row" aria-rowindex={1} style={{ gridTemplateColumns: tracks }}>
                        {p.mark && (
                            <span role="columnheader"><input type="checkbox" tabIndex={-1} aria-label={word('table.mark_all')} checked={rows.every((r) => p.marked?.has(p.id(r)))}
                                onChange={(e) => p.mark!(e.currentTarget.checked ? new Set(rows.map(p.id)) : new Set())} /></span>
                        )}
                        {columns.map((c) => (
                            <span key={c.id} role="columnheader" class={c.end ? 'end' : ''} aria-sort={sorting?.[0] === c.id ? (sorting[1] ? 'ascending' : 'descending') : c.sort ? 'none' : undefined}>
                                {c.sort ? (
                                    <button type="button" class="sort" tabIndex={-1} onClick={() => setSorting(sorting?.[0] === c.id ? [c.id, !sorting[1]] : [c.id, true])}>
                                        {c.head}<span aria-hidden="true">{sorting?.[0] === c.id ? (sorting[1] ? ' ↑' : ' ↓') : ''}</span>
                                    </button>
                                ) : c.head}
                            </span>
                        ))}
                    </div>
                    <div class="rows" role="rowgroup" style={{ height: `${rows.length * ROW_PX}px` }}>
                        {rows.slice(first, last).map((row, n) => {
                            const i = first + n, marked = p.marked?.has(p.id(row));
                            return (
                                <div key={p.id(row)} id={`${base}-${i}`} role="row" aria-rowindex={i + 2} aria-selected={p.mark ? !!marked : i === here}
                                    class={`row ${i === here ? 'here' : ''} ${p.tone?.(row) ?? ''} ${p.open ? 'opens' : ''}`} style={{ gridTemplateColumns: tracks, transform: `translateY(${i * ROW_PX}px)` }}
                                    onClick={(e) => { setAt(i); if (!(e.target as HTMLElement).closest('a, button, input')) p.open?.(row); }}>
                                    {p.mark && <span role="gridcell"><input type="checkbox" tabIndex={-1} checked={!!marked} aria-label={word('table.mark')} onChange={() => toggle(row)} /></span>}
                                    {columns.map((c) => <span key={c.id} role="gridcell" class={c.end ? 'end' : ''}>{c.cell(row)}</span>)}
                                </div>
                            );
                        })}
                    </div>
                </div>
            )}
        </div>
    );
}
