import type { EraLoss } from 'persistent-data/era';

/** What a repair has to make up, for people. */
export function lossLine({ kind, era, begin, end }: EraLoss): string {
  const range = end === begin + 1 ? `${begin}` : `${begin} to ${end - 1}`;
  if (kind === 'bits') return `writeset of era ${era}: blocks ${range} count as written`;
  if (kind === 'eras') return `era array: blocks ${range} count as written in era ${era}`;
  return `archived writesets of eras ${range}: all blocks count as written in era ${era}`;
}
