// A dialog: the browser's own, which keeps the focus within and gives it back.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { word } from '../base/words';

export function Dialog({ title, close, children, wide }: { title: string; close: () => void; children: ComponentChildren; wide?: boolean }) {
    const ref = useRef<HTMLDialogElement>(null);
    const id = useId();
    useEffect(() => {
        const d = ref.current!;
        const before = document.activeElement as HTMLElement | null;
        d.showModal();
        return () => {
            d.close();
            before?.focus?.();
        };
    }, []);
    return (
        <dialog ref={ref} class={wide ? 'wide' : ''} aria-labelledby={id} onCancel={(e) => { e.preventDefault(); close(); }}>
            <div class="dialog-head">
                <h2 id={id}>{title}</h2>
                <button type="button" class="plain" aria-label={word('base.close')} onClick={close}>✕</button>
            </div>
            {children}
        </dialog>
    );
}
