// A view's question to the server: asked when its parts change, again on demand, given up when the view goes.
import { useCallback, useEffect, useState } from 'preact/hooks';
import type { Problem } from './api';

export interface Asked<T> { data: T | undefined; problem: Problem | undefined; busy: boolean; again: () => void }

/** `ask` is called anew when one of `parts` changes; meanwhile the old data stay, for a view that does not jump. */
export function useAsk<T>(ask: (signal: AbortSignal) => Promise<T>, parts: unknown[]): Asked<T> {
    const [state, put] = useState<{ data?: T; problem?: Problem; busy: boolean }>({ busy: true });
    const [turn, next] = useState(0);
    const again = useCallback(() => next((n) => n + 1), []);
    useEffect(() => {
        const abort = new AbortController();
        put((s) => ({ ...s, busy: true }));
        ask(abort.signal).then(
            (data) => abort.signal.aborted || put({ data, busy: false }),
            (problem) => abort.signal.aborted || put((s) => ({ data: s.data, problem, busy: false })),
        );
        return () => abort.abort();
    }, [...parts, turn]);
    return { data: state.data, problem: state.problem, busy: state.busy, again };
}
