import { showTime } from './show-time.ts';

/** A workload's figures, by the number of entries. */
export interface Series {
  readonly title: string;
  readonly points: readonly { readonly n: number; readonly ns: number }[];
}

const WIDTH = 860;
const HEIGHT = 460;
const LEFT = 80;
const RIGHT = 290;
const TOP = 30;
const BOTTOM = 50;
const COLOURS = ['#1b6ca8', '#c0392b', '#218c53', '#8e44ad', '#b9770e', '#2c3e50', '#d81b60', '#00838f'];

/** Draws time over entries, both logarithmic, as an SVG. */
export function growthChart(series: readonly Series[]): string {
  const all = series.flatMap(({ points }) => points);
  const [minN, maxN] = powersAround(all.map(({ n }) => n));
  const [minNs, maxNs] = powersAround(all.map(({ ns }) => ns));
  const x = (n: number): number => LEFT + ((Math.log10(n) - minN) / (maxN - minN)) * (WIDTH - LEFT - RIGHT);
  const y = (ns: number): number => TOP + ((maxNs - Math.log10(ns)) / (maxNs - minNs)) * (HEIGHT - TOP - BOTTOM);
  const parts: string[] = [];
  for (let power = minNs; power <= maxNs; power++) {
    const at = y(10 ** power).toFixed(1);
    parts.push(`<line x1="${LEFT}" y1="${at}" x2="${WIDTH - RIGHT}" y2="${at}" stroke="#ddd"/>`);
    parts.push(`<text x="${LEFT - 8}" y="${at}" text-anchor="end" dy="4">${showTime(10 ** power)}</text>`);
  }
  for (let power = minN; power <= maxN; power++) {
    const at = x(10 ** power).toFixed(1);
    parts.push(`<text x="${at}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle">${entriesText(10 ** power)}</text>`);
  }
  parts.push(`<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">entries</text>`);
  const labels = spread(series.map(({ points }) => y(points.at(-1)!.ns)));
  for (const [i, { title, points }] of series.entries()) {
    const colour = COLOURS[i % COLOURS.length]!;
    const places = points.map(({ n, ns }) => `${x(n).toFixed(1)},${y(ns).toFixed(1)}`);
    parts.push(`<polyline points="${places.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const place of places) {
      const [cx, cy] = place.split(',');
      parts.push(`<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`);
    }
    const labelY = labels[i]!.toFixed(1);
    parts.push(`<text x="${WIDTH - RIGHT + 12}" y="${labelY}" dy="4" fill="${colour}">${title}</text>`);
  }
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">\n<title>Cost per entry or commit as a Store grows from 1 to 100 million entries</title>`;
  return `${[head, `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`, ...parts, '</svg>'].join('\n')}\n`;
}

function powersAround(values: readonly number[]): [number, number] {
  const least = Math.floor(Math.log10(Math.min(...values)));
  const most = Math.ceil(Math.log10(Math.max(...values)));
  return [least, Math.max(most, least + 1)];
}

function entriesText(n: number): string {
  return n >= 1e6 ? `${n / 1e6} million` : String(n);
}

/** Moves labels apart that would lie on each other, downwards. */
function spread(places: readonly number[]): number[] {
  const moved = [...places];
  let last = Number.NEGATIVE_INFINITY;
  for (const i of [...places.keys()].sort((a, b) => places[a]! - places[b]!)) {
    moved[i] = Math.max(places[i]!, last + 15);
    last = moved[i]!;
  }
  return moved;
}
