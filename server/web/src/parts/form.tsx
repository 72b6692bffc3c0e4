// Forms: one Idempotency-Key each, so that what is sent twice counts once; refusals beside the field that they name.
//
//   const form = useForm({ note: '' }, (v, key) => post(at`/v1/flags/${id}`, v, key), done);
//   <Form form={form} send={word('flags.confirm')}><Field form={form} name="note" label={word('flags.note')} /></Form>
import type { ComponentChildren, JSX } from 'preact';
import { useId, useRef, useState } from 'preact/hooks';
import { newKey, Problem } from '../base/api';
import { word } from '../base/words';

export interface FormState<V> {
    values: V;
    set: (changes: Partial<V>) => void;
    busy: boolean;
    problem: Problem | null;
    send: () => Promise<void>;
    fields: Set<string>; // that stand in the form
}

export function useForm<V extends object, A>(first: V, send: (values: V, key: string) => Promise<A>, done?: (answer: A, values: V) => void): FormState<V> {
    const [values, put] = useState(first);
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState<Problem | null>(null);
    const key = useRef(newKey());
    const fields = useRef(new Set<string>());
    return {
        values, busy, problem, fields: fields.current,
        set(changes) {
            key.current = newKey(); // other contents are another request
            put((v) => ({ ...v, ...changes }));
        },
        async send() {
            if (busy) return;
            setBusy(true);
            setProblem(null);
            try {
                const answer = await send(values, key.current);
                key.current = newKey();
                done?.(answer, values);
            } catch (e) {
                const p = e instanceof Problem ? e : new Problem(1, (e as Error).message);
                if (!p.lost) key.current = newKey(); // a lost answer may have been a yes: the same key asks for it
                setProblem(p);
            }
            setBusy(false);
        },
    };
}

export function Form<V extends object>({ form, send, close, tone = 'primary', children }:
    { form: FormState<V>; send: string; close?: () => void; tone?: string; children?: ComponentChildren }) {
    const p = form.problem;
    return (
        <form noValidate={false} onSubmit={(e) => { e.preventDefault(); void form.send(); }}>
            {children}
            {p && !form.fields.has(p.field) && <p class="refusal" role="alert">{p.detail}{p.lost ? ` ${word('base.lost_again')}` : ''}</p>}
            <div class="actions">
                <button type="submit" class={tone} disabled={form.busy}>{form.busy ? word('base.sending') : send}</button>
                {close && <button type="button" onClick={close}>{word('base.cancel')}</button>}
            </div>
        </form>
    );
}

interface FieldProps<V> {
    form: FormState<V>;
    name: keyof V & string;
    label: string;
    hint?: string;
    type?: 'text' | 'password' | 'number' | 'date' | 'time' | 'textarea' | 'checkbox' | 'search';
    options?: [value: string, label: string][]; // a choice
    required?: boolean;
    more?: JSX.InputHTMLAttributes<HTMLInputElement>;
}

/** A field with its label, its hint, and what the server said of it. */
export function Field<V extends object>({ form, name, label, hint, type = 'text', options, required, more }: FieldProps<V>) {
    const id = useId();
    const value = form.values[name] as unknown;
    const wrong = form.problem?.field === name ? form.problem.detail : '';
    form.fields.add(name);
    const common = {
        id, required, 'aria-invalid': wrong ? true : undefined,
        'aria-describedby': [hint && `${id}-hint`, wrong && `${id}-wrong`].filter(Boolean).join(' ') || undefined,
    };
    const take = (v: unknown) => form.set({ [name]: v } as Partial<V>);
    return (
        <div class={`field${type === 'checkbox' ? ' check' : ''}`}>
            <label for={id}>{label}{required && <span class="required" aria-hidden="true"> *</span>}</label>
            {options ? (
                <select {...common} value={String(value ?? '')} onChange={(e) => take(e.currentTarget.value)}>
                    {options.map(([v, text]) => <option key={v} value={v}>{text}</option>)}
                </select>
            ) : type === 'textarea' ? (
                <textarea {...common} rows={3} value={String(value ?? '')} onInput={(e) => take(e.currentTarget.value)} />
            ) : type === 'checkbox' ? (
                <input {...common} type="checkbox" checked={!!value} onChange={(e) => take(e.currentTarget.checked)} />
            ) : (
                <input {...common} type={type === 'number' ? 'text' : type} inputMode={type === 'number' ? 'decimal' : undefined} value={String(value ?? '')}
                    onInput={(e) => take(e.currentTarget.value)} {...more} />
            )}
            {hint && <p class="hint" id={`${id}-hint`}>{hint}</p>}
            {wrong && <p class="refusal" id={`${id}-wrong`} role="alert">{wrong}</p>}
        </div>
    );
}

/** What stands on a dial, m³ as people type it, in litres. */
export function litres(text: string, field: string): number {
    const v = Number(text.trim().replace(',', '.'));
    if (!text.trim() || !Number.isFinite(v)) throw new Problem(422, word('base.no_number', { text }), field);
    return Math.round(v * 1e6) / 1e3;
}
