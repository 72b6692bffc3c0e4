// One flag by its link.
import { useCallback } from 'preact/hooks';
import { at, get } from '../base/api';
import { useAsk } from '../base/ask';
import { useLive } from '../base/live';
import { named, word } from '../base/words';
import { Answer } from '../parts/states';
import type { ViewProps } from '../views';
import type { Flag } from './evidence';
import { FlagCard } from './flag_card';

export default function OneFlag({ names }: ViewProps) {
    const asked = useAsk((signal) => get<Flag>(at`/v1/flags/${names.id}`, {}, signal), [names.id]);
    useLive(['flag'], useCallback(() => asked.again(), []));
    return (
        <>
            <div class="crumbs"><a href="#/flags">{word('flags.title')}</a></div>
            <h1>{asked.data ? named('kind', asked.data.kind) : word('flag.flag')} <span class="quiet">{asked.data?.point ?? asked.data?.zone ?? asked.data?.cell}</span></h1>
            <Answer asked={asked}>{(f) => <FlagCard flag={f} changed={asked.again} />}</Answer>
        </>
    );
}
