// Who is signed in. The secret is a cookie that no script reads; what writing needs beside it, the CSRF token, is kept in memory.
import { store } from './store';

export type Role = 'admin' | 'supervisor' | 'reader' | 'billing' | 'store' | 'crew' | 'viewer';
export interface Session { name: string; role: Role; org: string | null; csrf: string }

/** undefined: not known yet; null: nobody. */
export const session = store<Session | null | undefined>(undefined);

/** Sets of roles, as the server's route.def has them. */
export const roles = {
    all: ['admin', 'supervisor', 'reader', 'billing', 'store', 'crew', 'viewer'],
    chief: ['admin', 'supervisor'],
    sheets: ['admin', 'supervisor', 'reader'],
    billing: ['admin', 'supervisor', 'billing'],
    store: ['admin', 'supervisor', 'store'],
    crew: ['admin', 'supervisor', 'crew'],
    reads: ['admin', 'supervisor', 'reader', 'crew'],
    desk: ['admin', 'supervisor', 'reader', 'billing', 'viewer'],
} satisfies Record<string, Role[]>;
export type Roles = keyof typeof roles;

export function may(who: Roles): boolean {
    const s = session.get();
    return !!s && (roles[who] as Role[]).includes(s.role);
}

const leaving: (() => unknown)[] = [];
/** What a view keeps of a person goes when the person does: called before the session ends, and waited for. */
export function onLeave(forget: () => unknown): void {
    leaving.push(forget);
}
export async function forgetAll(): Promise<void> {
    await Promise.allSettled(leaving.map((f) => f()));
}
