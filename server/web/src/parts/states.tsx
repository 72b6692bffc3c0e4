// What stands in a view's place while there is nothing to show: it loads, it failed, there is nothing.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Asked } from '../base/ask';
import { Problem } from '../base/api';
import { word } from '../base/words';

/** Shown after a moment alone, so that what is quick does not flicker. */
export function Loading() {
    const [shown, show] = useState(false);
    useEffect(() => {
        const timer = setTimeout(() => show(true), 250);
        return () => clearTimeout(timer);
    }, []);
    return <div class="state" role="status">{shown && <><span class="spinner" aria-hidden="true" />{word('base.loading')}</>}</div>;
}

export function Failed({ problem, again }: { problem: unknown; again?: () => void }) {
    const p = problem instanceof Problem ? problem : null;
    const text = p ? p.detail : (problem as Error)?.message ?? String(problem);
    return (
        <div class="state failed" role="alert">
            <p>{p?.status === 403 ? word('base.not_allowed') : p?.status === 404 ? word('base.not_found') : word('base.failed')}</p>
            <p class="quiet">{text}</p>
            {again && <button type="button" onClick={again}>{word('base.again')}</button>}
        </div>
    );
}

export function Empty({ children }: { children: ComponentChildren }) {
    return <div class="state empty">{children}</div>;
}

/** The usual order of the three around a question's answer. */
export function Answer<T>({ asked, children }: { asked: Asked<T>; children: (data: T) => ComponentChildren }) {
    if (asked.data !== undefined) {
        return <>
            {asked.problem && <div class="strip warn" role="alert">{word('base.stale')} {asked.problem.detail} <button type="button" class="plain" onClick={asked.again}>{word('base.again')}</button></div>}
            {children(asked.data)}
        </>;
    }
    return asked.problem ? <Failed problem={asked.problem} again={asked.again} /> : <Loading />;
}
