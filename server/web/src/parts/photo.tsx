// A photo from the camera or the gallery, made small on the device: 1 600 px and at most 900 KB of JPEG, whatever the phone takes.
import { useEffect, useId, useState } from 'preact/hooks';
import { number } from '../base/format';
import { word } from '../base/words';

const SIDE_PX = 1600, BYTES_MOST = 900_000;

async function smaller(file: Blob): Promise<Blob> {
    const image = await createImageBitmap(file, { imageOrientation: 'from-image' });
    for (let side = SIDE_PX, quality = 0.82; ; side *= 0.75, quality = Math.max(0.5, quality - 0.1)) {
        const scale = Math.min(1, side / Math.max(image.width, image.height));
        const canvas = document.createElement('canvas');
        canvas.width = Math.max(1, Math.round(image.width * scale));
        canvas.height = Math.max(1, Math.round(image.height * scale));
        canvas.getContext('2d')!.drawImage(image, 0, 0, canvas.width, canvas.height);
        const made = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/jpeg', quality));
        if (!made) throw new Error('no image');
        if (made.size <= BYTES_MOST || side < 300) return made;
    }
}

export function Photo({ value, take }: { value: Blob | undefined; take: (photo: Blob | undefined) => void }) {
    const id = useId();
    const [wrong, setWrong] = useState(''), [shown, show] = useState('');
    useEffect(() => {
        if (!value) {
            show('');
            return undefined;
        }
        const url = URL.createObjectURL(value);
        show(url);
        return () => URL.revokeObjectURL(url);
    }, [value]);
    async function pick(input: HTMLInputElement): Promise<void> {
        const file = input.files?.[0];
        setWrong('');
        if (!file) return;
        try {
            take(await smaller(file));
        } catch {
            setWrong(word('order.photo_wrong'));
        }
        input.value = '';
    }
    return (
        <div class="field">
            <label for={id}>{word('order.photo')}</label>
            <input id={id} type="file" accept="image/*" capture="environment" aria-describedby={wrong ? `${id}-wrong` : undefined} onChange={(e) => void pick(e.currentTarget)} />
            {wrong && <p class="refusal" id={`${id}-wrong`} role="alert">{wrong}</p>}
            {shown && value && (
                <div class="photo"><img src={shown} alt={word('order.photo')} />
                    <span class="quiet small">{number(value.size / 1000)} KB</span> <button type="button" class="plain" onClick={() => take(undefined)}>{word('order.photo_drop')}</button></div>
            )}
        </div>
    );
}
