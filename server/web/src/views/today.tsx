// Today, by role: what each team opens in the morning. A role's own page is a file of its own (today_ROLE.tsx), named here.
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { session, type Role } from '../base/session';
import { Failed, Loading } from '../parts/states';

const pages: Record<Role, () => Promise<{ default: ComponentType }>> = {
    admin: () => import('./today_dispatch'),
    supervisor: () => import('./today_dispatch'),
    viewer: () => import('./today_dispatch'),
    reader: () => import('./today_reader'),
    billing: () => import('./today_billing'),
    store: () => import('./today_dispatch'),
    crew: () => import('./today_crew'),
};

export default function Today() {
    const [Page, put] = useState<ComponentType | null>(null);
    const [problem, fail] = useState<unknown>(null);
    useEffect(() => {
        pages[session.get()!.role]().then((m) => put(() => m.default), fail);
    }, []);
    if (problem) return <Failed problem={problem} />;
    return Page ? <Page /> : <Loading />;
}
