// A serial from a bar code or a QR code by the camera, where the browser reads such (BarcodeDetector); elsewhere nothing is offered, and it is typed.
import { useEffect, useRef, useState } from 'preact/hooks';
import { word } from '../base/words';
import { Dialog } from './dialog';

interface Detector { detect(of: HTMLVideoElement): Promise<{ rawValue: string }[]> }
declare const BarcodeDetector: { new (options: { formats: string[] }): Detector; getSupportedFormats(): Promise<string[]> } | undefined;

const LOOK_MS = 200;
const formats = ['code_128', 'code_39', 'qr_code', 'data_matrix', 'ean_13', 'itf'];
/** A code may have more around the serial: the serial is its last word of letters and digits, as GS1's (21) has it. */
export const serialOf = (code: string): string => code.trim().replace(/^.*\(21\)/, '').split(/[\s,;|/=?&]+/).filter(Boolean).pop() ?? '';

export const canScan = (): boolean => 'BarcodeDetector' in window && !!navigator.mediaDevices?.getUserMedia;

function Camera({ take, close }: { take: (serial: string) => void; close: () => void }) {
    const video = useRef<HTMLVideoElement>(null);
    const [wrong, setWrong] = useState('');
    useEffect(() => {
        let stream: MediaStream | null = null, timer = 0, over = false;
        void (async () => {
            try {
                const known = await BarcodeDetector!.getSupportedFormats();
                const detector = new BarcodeDetector!({ formats: formats.filter((f) => known.includes(f)) });
                stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
                if (over) throw new Error('over');
                video.current!.srcObject = stream;
                await video.current!.play();
                const look = async () => {
                    const found = over ? [] : await detector.detect(video.current!).catch(() => []);
                    const serial = found.map((f) => serialOf(f.rawValue)).find(Boolean);
                    if (serial) take(serial);
                    else if (!over) timer = window.setTimeout(() => void look(), LOOK_MS);
                };
                void look();
            } catch {
                stream?.getTracks().forEach((t) => t.stop());
                if (!over) setWrong(word('order.scan_wrong'));
            }
        })();
        return () => {
            over = true;
            window.clearTimeout(timer);
            stream?.getTracks().forEach((t) => t.stop());
        };
    }, []);
    return (
        <Dialog title={word('order.scan')} close={close}>
            {wrong ? <p class="refusal" role="alert">{wrong}</p> : <video ref={video} class="scan" muted playsInline aria-label={word('order.scan_about')} />}
            <p class="quiet small">{word('order.scan_about')}</p>
        </Dialog>
    );
}

export function Scan({ take }: { take: (serial: string) => void }) {
    const [open, put] = useState(false);
    if (!canScan()) return null;
    return <>
        <button type="button" onClick={() => put(true)}>{word('order.scan')}</button>
        {open && <Camera close={() => put(false)} take={(serial) => { put(false); take(serial); }} />}
    </>;
}
