// A map by Leaflet: tiles where the server names some, a plain ground with a grid where not. Markers are shapes of CSS with a text, numbered where there is an order.
//
//   <PlaceMap name={…} spots={[{ id, lat, lon, label, text: '1', tint: 'one' }]} line={true} picked={id} pick={(id) => …} />
import L from 'leaflet';
import { useEffect, useRef } from 'preact/hooks';
import { theFacts } from '../base/facts';
import { word } from '../base/words';
import type { Tint } from './chart';

export interface Spot { id: string; lat: number; lon: number; label: string; text?: string; tint?: Tint; more?: () => HTMLElement | string }
export interface MapProps { name: string; spots: Spot[]; line?: boolean; picked?: string; pick?: (id: string) => void; height?: string }

function marker(s: Spot, picked: boolean): L.DivIcon {
    const dot = document.createElement('span');
    dot.className = `spot tint-${s.tint ?? 'one'}${picked ? ' picked' : ''}`;
    dot.textContent = s.text ?? '';
    return L.divIcon({ html: dot, className: 'spot-box', iconSize: [28, 28], iconAnchor: [14, 14] });
}

export function PlaceMap(p: MapProps) {
    const box = useRef<HTMLDivElement>(null), map = useRef<L.Map | null>(null), layer = useRef<L.LayerGroup | null>(null), framed = useRef('');
    useEffect(() => {
        const { map_tiles, map_credit } = theFacts();
        const m = L.map(box.current!, { zoomControl: false, attributionControl: false, preferCanvas: false }).setView([0, 0], 2);
        L.control.zoom({ zoomInTitle: word('chart.in'), zoomOutTitle: word('chart.out') }).addTo(m);
        L.control.scale({ imperial: false }).addTo(m);
        if (map_tiles) L.tileLayer(map_tiles, { maxZoom: 19 }).addTo(m);
        if (map_tiles && map_credit) {
            const text = document.createElement('span');
            text.textContent = map_credit;
            L.control.attribution({ prefix: false }).addAttribution(text.innerHTML).addTo(m);
        }
        map.current = m;
        layer.current = L.layerGroup().addTo(m);
        return () => {
            m.remove();
            map.current = null;
        };
    }, []);
    useEffect(() => {
        const m = map.current!, g = layer.current!;
        g.clearLayers();
        if (p.line && p.spots.length > 1) L.polyline(p.spots.map((s) => [s.lat, s.lon] as [number, number]), { color: 'var(--tint-one)', weight: 3, opacity: 0.6 }).addTo(g);
        for (const s of p.spots) {
            const mark = L.marker([s.lat, s.lon], { icon: marker(s, s.id === p.picked), title: s.label, alt: s.label, keyboard: true }).addTo(g);
            const text = document.createElement('div');
            const title = document.createElement('strong');
            title.textContent = s.label;
            text.append(title);
            const more = s.more?.();
            if (more) text.append(document.createElement('br'), more);
            mark.bindPopup(text);
            mark.on('click', () => p.pick?.(s.id));
        }
        const frame = p.spots.map((s) => s.id).join();
        if (p.spots.length && frame !== framed.current) {
            framed.current = frame;
            m.fitBounds(L.latLngBounds(p.spots.map((s) => [s.lat, s.lon] as [number, number])), { padding: [32, 32], maxZoom: 16, animate: false });
        }
    }, [p.spots, p.picked, p.line]);
    return <div class="map" role="region" aria-label={p.name} ref={box} style={{ height: p.height ?? '24rem' }} />;
}
