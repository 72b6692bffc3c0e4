// What the server says of itself before anybody signs in.
import { get } from './api';

export interface Facts { utility: string; tz: string; now: string; virtual: boolean; map_tiles: string | null; map_credit: string | null; version: string }

let facts: Facts;
let ahead_ms = 0; // of the server's clock before this browser's; one that is virtual stands still

/** As the device kept them, until the server tells them anew. */
export function keepFacts(f: Facts): void {
    facts = f;
    document.title = f.utility;
}

export async function loadFacts(): Promise<void> {
    facts = await get<Facts>('/v1/page');
    ahead_ms = Date.parse(facts.now) - Date.now();
    document.title = facts.utility;
}

export const theFacts = (): Facts => facts;
export const zone = (): string => facts.tz;
/** The server's now, in milliseconds. */
export const now = (): number => (facts.virtual ? Date.parse(facts.now) : Date.now() + ahead_ms);
