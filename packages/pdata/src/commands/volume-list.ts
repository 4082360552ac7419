/** `volume list`: the volumes of a pool. */

import type { VolumeInfo } from 'persistent-data/pool';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { withPool } from '../pool-session.ts';
import { printJson } from '../print-json.ts';
import { readableBytes } from '../size-text.ts';
import { writeStdout } from '../standard-output.ts';

export async function run(args: Arguments): Promise<number> {
  const folder = args.operand(0);
  // From a server the dates come as text: a round through JSON makes both alike.
  const list = await withPool(folder, { readOnly: true }, (session) => session.call('list'));
  const volumes = JSON.parse(JSON.stringify(list)) as (Omit<VolumeInfo, 'created'> & { readonly created: string })[];
  if (args.has('json')) {
    printJson({ version: 1, pool: folder, volumes });
    return EXIT.ok;
  }
  const rows = volumes.map(({ name, sizeBytes, mappedBytes, readOnly, origin, receivedTo, temporary }) => {
    const wholeKind = temporary ? 'temporary' : readOnly ? 'read-only' : 'writable';
    const kind = receivedTo === undefined ? wholeKind : 'incomplete';
    return [name, readableBytes(sizeBytes), readableBytes(mappedBytes), kind, origin ?? ''];
  });
  writeStdout(table([['NAME', 'SIZE', 'MAPPED', 'KIND', 'ORIGIN'], ...rows]));
  return EXIT.ok;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}
