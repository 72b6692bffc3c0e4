// A value that views watch: what changes it draws them again.
import { useEffect, useState } from 'preact/hooks';

export interface Store<T> {
    get(): T;
    set(value: T): void;
    watch(told: (value: T) => void): () => void;
}

export function store<T>(first: T): Store<T> {
    const watching = new Set<(value: T) => void>();
    let now = first;
    return {
        get: () => now,
        set(value) {
            if (Object.is(value, now)) return;
            now = value;
            for (const told of [...watching]) told(value);
        },
        watch(told) {
            watching.add(told);
            return () => void watching.delete(told);
        },
    };
}

export function useStore<T>(s: Store<T>): T {
    const [value, put] = useState(s.get());
    useEffect(() => {
        put(() => s.get()); // it may have changed between drawing and watching
        return s.watch((v) => put(() => v));
    }, [s]);
    return value;
}
