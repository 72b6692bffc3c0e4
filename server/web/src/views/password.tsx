// Another password for oneself. It ends all of one's sessions, so one signs in anew.
import { post, Problem } from '../base/api';
import { session } from '../base/session';
import { word } from '../base/words';
import { Field, Form, useForm } from '../parts/form';

export default function Password() {
    const form = useForm({ old: '', new: '', again: '' }, (v) => {
        if (v.new !== v.again) throw new Problem(422, word('password.differ'), 'again');
        return post('/v1/session/password', { old: v.old, new: v.new });
    }, () => session.set(null));
    return (
        <>
            <h1>{word('password.title')}</h1>
            <div class="card narrow">
                <p>{word('password.about')}</p>
                <Form form={form} send={word('password.send')}>
                    <Field form={form} name="old" label={word('password.old')} type="password" required more={{ autocomplete: 'current-password' }} />
                    <Field form={form} name="new" label={word('password.new')} type="password" required hint={word('password.hint')} more={{ autocomplete: 'new-password', minLength: 8 }} />
                    <Field form={form} name="again" label={word('password.repeat')} type="password" required more={{ autocomplete: 'new-password' }} />
                </Form>
            </div>
        </>
    );
}
