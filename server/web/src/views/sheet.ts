// A row of a route's day sheet, and what a sheet's rows amount to.
export interface Dispute { state: string; note: string | null; by: string; at: string; resolution: string | null }
export interface SheetRow {
    point: string; account: string | null; address: string | null; serial: string | null; seq: number | null; due: boolean | null; due_at: string;
    remote_l: number | null; remote_at: string | null; manual_l: number | null; manual_at: string | null; difference_l: number | null; offset_l: number | null; use_l: number | null; use_from: string | null;
    state: 'ok' | 'missing' | 'odd' | 'disputed' | 'signed'; reason: string | null; reason_en: string | null; reason_zh: string | null; heard_at: string | null; checks: string[] | null;
    signed_by: string | null; signed_at: string | null; was: string | null; remark: string | null; changed_since_signed: boolean | null; dispute: Dispute | null;
}
export interface Counted { all: number; ok: number; missing: number; odd: number; disputed: number; signed: number }

export function counted(rows: SheetRow[]): Counted {
    const c: Counted = { all: rows.length, ok: 0, missing: 0, odd: 0, disputed: 0, signed: 0 };
    for (const r of rows) c[r.state]++;
    return c;
}
