// Signing in. Where somebody wanted to go stays in the address, so that a shared link leads there afterwards.
import { get, post, Problem } from '../base/api';
import { theFacts } from '../base/facts';
import { session, type Session } from '../base/session';
import { word } from '../base/words';
import { Field, Form, useForm } from '../parts/form';
import { Choices } from '../frame';

export function SignIn() {
    const form = useForm({ name: '', password: '' }, async (v) => {
        try {
            await post<Session>('/v1/session', v);
        } catch (e) {
            if (!(e instanceof Problem)) throw e;
            if (e.status === 401) throw new Problem(401, word('signin.wrong'));
            if (e.status === 429) throw new Problem(429, word('signin.wait', { n: e.waitS }));
            throw e;
        }
        return get<Session>('/v1/session');
    }, (s) => session.set(s));
    return (
        <main class="sign-in" id="main">
            <div class="sign-in-box">
                <img src="/web/icon.svg" alt="" width="48" height="48" />
                <h1>{theFacts().utility}</h1>
                <p class="quiet">{word('signin.about')}</p>
                <Form form={form} send={word('signin.send')}>
                    <Field form={form} name="name" label={word('signin.name')} required more={{ autocomplete: 'username', autocapitalize: 'none', spellcheck: false }} />
                    <Field form={form} name="password" label={word('signin.password')} type="password" required more={{ autocomplete: 'current-password' }} />
                </Form>
                <Choices />
            </div>
        </main>
    );
}
