/** Makes docs/format.md: the prose of docs/format.in.md, with a table wherever it names a layout. */

import { readFileSync } from 'node:fs';
import * as format from '../packages/persistent-data/src/format/index.ts';

/** A layout as a table: offset, size, field. */
function layoutTable(layout: format.Layout<string>): string {
  const rows = layout.fields.map(({ offset, type, name, size }) => {
    const shown = typeof type === 'number' ? `${size} bytes` : type;
    return `| ${offset} | 0x${offset.toString(16).padStart(3, '0')} | ${shown} | \`${name}\` |`;
  });
  return [
    `\`${layout.name}\`, ${layout.size} bytes:`,
    '',
    '| offset | hex | type | field |',
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

function saltTable(): string {
  const rows = Object.entries(format.SALT).map(
    ([kind, salt]) => `| ${kind} | ${salt} | 0x${salt.toString(16).padStart(8, '0')} |`,
  );
  return ['| kind | salt | hex |', '| --- | --- | --- |', ...rows].join('\n');
}

function capacityTable(): string {
  const sizes: [number, string][] = [
    [4, 'reference-count trees'],
    [8, 'internal nodes, mappings, arrays'],
    [12, 'archived writesets of an era device'],
    [16, 'index of a data space map'],
    [24, 'device details'],
  ];
  const rows = sizes.map(([size, use]) => {
    const capacity = format.maxEntriesFor(size);
    return `| ${size} | ${capacity} | ${format.NODE_HEADER.size + 8 * capacity} | ${use} |`;
  });
  return ['| `valueSize` | `maxEntries` | values at | used by |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

export function makeFormatPage(): string {
  const template = readFileSync(new URL('../docs/format.in.md', import.meta.url), 'utf8');
  return template.replaceAll(/\{\{(\w+)(?: (\w+))?\}\}/g, (_, what: string, name: string | undefined) => {
    if (what === 'salts') return saltTable();
    if (what === 'capacities') return capacityTable();
    const layout = (format as Record<string, unknown>)[name ?? ''];
    if (what !== 'layout' || !(layout instanceof format.Layout))
      throw new Error(`docs/format.in.md asks for ${what} ${name}`);
    return layoutTable(layout);
  });
}
