// Any list as a file, with the filters that are set.
import { address, type Query } from '../base/api';
import { word } from '../base/words';

export function Exports({ path, query }: { path: string; query?: Query }) {
    return (
        <span class="exports">
            {(['csv', 'xlsx'] as const).map((form) => (
                <a key={form} class="button quiet" href={address(path, { ...query, form })} download aria-label={word('base.export_as', { form: form.toUpperCase() })}>{form.toUpperCase()}</a>
            ))}
        </span>
    );
}
