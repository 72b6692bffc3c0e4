// Who may sign in, as what, and for which unit.
import { useState } from 'preact/hooks';
import { all, at, post } from '../base/api';
import { useAsk } from '../base/ask';
import { when } from '../base/format';
import { roles, session } from '../base/session';
import { named, word } from '../base/words';
import { Badge } from '../parts/badge';
import { Dialog } from '../parts/dialog';
import { Exports } from '../parts/exports';
import { Field, Form, useForm } from '../parts/form';
import { Answer } from '../parts/states';
import { Table, type Column } from '../parts/table';

interface User { name: string; role: string; org: string | null; enabled: boolean; created_at: string; changed_at: string; changed_by: string }

const choices = (): [string, string][] => roles.all.map((r) => [r, named('role', r)]);

function New({ close }: { close: (changed: boolean) => void }) {
    const form = useForm({ name: '', role: 'reader', org: '', password: '' },
        (v) => post('/v1/users', { name: v.name, role: v.role, password: v.password, ...(v.org ? { org: v.org } : {}) }), () => close(true));
    return (
        <Dialog title={word('users.new')} close={() => close(false)}>
            <Form form={form} send={word('users.create')} close={() => close(false)}>
                <Field form={form} name="name" label={word('users.name')} required more={{ autocomplete: 'off', autocapitalize: 'none' }} />
                <Field form={form} name="role" label={word('users.role')} options={choices()} />
                <Field form={form} name="org" label={word('users.org')} hint={word('users.org_hint')} />
                <Field form={form} name="password" label={word('users.password')} type="password" required hint={word('password.hint')} more={{ autocomplete: 'new-password', minLength: 8 }} />
            </Form>
        </Dialog>
    );
}

function Change({ user, close }: { user: User; close: (changed: boolean) => void }) {
    const form = useForm({ role: user.role, org: user.org ?? '', password: '', enabled: user.enabled },
        (v) => post(at`/v1/users/${user.name}`, {
            ...(v.role !== user.role ? { role: v.role } : {}), ...(v.org !== (user.org ?? '') ? { org: v.org } : {}),
            ...(v.enabled !== user.enabled ? { enabled: v.enabled } : {}), ...(v.password ? { password: v.password } : {}),
        }), () => close(true));
    return (
        <Dialog title={word('users.change', { name: user.name })} close={() => close(false)}>
            <Form form={form} send={word('base.save')} close={() => close(false)}>
                <Field form={form} name="role" label={word('users.role')} options={choices()} />
                <Field form={form} name="org" label={word('users.org')} hint={word('users.org_hint')} />
                <Field form={form} name="password" label={word('users.password_new')} type="password" hint={word('users.password_ends')} more={{ autocomplete: 'new-password' }} />
                {user.name !== session.get()?.name && <Field form={form} name="enabled" label={word('users.enabled')} type="checkbox" />}
            </Form>
        </Dialog>
    );
}

export default function Users() {
    const asked = useAsk((signal) => all<User>('/v1/users', {}, 5000, signal), []);
    const [shown, show] = useState<User | 'new' | null>(null);
    const close = (changed: boolean) => {
        show(null);
        if (changed) asked.again();
    };
    const columns: Column<User>[] = [
        { id: 'name', head: word('users.name'), cell: (u) => u.name, sort: (u) => u.name, priority: 1 },
        { id: 'role', head: word('users.role'), cell: (u) => named('role', u.role), sort: (u) => named('role', u.role), priority: 1 },
        { id: 'org', head: word('users.org'), cell: (u) => u.org ?? word('users.all_units'), sort: (u) => u.org },
        { id: 'state', head: word('users.state'), cell: (u) => (u.enabled ? <Badge tone="good">{word('users.may')}</Badge> : <Badge tone="bad">{word('users.shut_out')}</Badge>), sort: (u) => Number(u.enabled) },
        { id: 'changed', head: word('users.changed'), cell: (u) => when(u.changed_at), sort: (u) => u.changed_at, priority: 3 },
        { id: 'by', head: word('users.by'), cell: (u) => u.changed_by, sort: (u) => u.changed_by, priority: 3 },
    ];
    return (
        <>
            <div class="head"><h1>{word('users.title')}</h1><div class="head-end"><Exports path="/v1/users" /><button type="button" class="primary" onClick={() => show('new')}>{word('users.new')}</button></div></div>
            <Answer asked={asked}>{(data) => <Table name={word('users.title')} columns={columns} rows={data.rows} id={(u) => u.name} open={show} empty={word('users.none')} more={data.more} />}</Answer>
            {shown === 'new' && <New close={close} />}
            {shown && shown !== 'new' && <Change user={shown} close={close} />}
        </>
    );
}
