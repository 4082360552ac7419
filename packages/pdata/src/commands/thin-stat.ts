/** `thin_stat`: how often blocks are referred to, and how fragmented mappings are. */

import { countHistogram, runLengths, ThinImage } from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { openMetadataInput } from '../files.ts';
import { printJson } from '../print-json.ts';
import { writeStdout } from '../standard-output.ts';

export function run(args: Arguments): number {
  const device = openMetadataInput(args.operand(0), false);
  try {
    const image = new ThinImage(device);
    const op = args.text('op') ?? 'data_blocks';
    if (op === 'data_run_len') {
      const { lengths, nrRuns, nrMappings, nrLeaves } = runLengths(image);
      if (args.has('json')) printJson({ version: 1, op, lengths, nrRuns, nrMappings, nrLeaves });
      else {
        const average = nrRuns === 0 ? 0 : nrMappings / nrRuns;
        const rows = table('length\tcounts', lengths, nrRuns);
        writeStdout(`${rows}${nrRuns} runs in ${nrLeaves} leaves\navg run length = ${average.toFixed(2)}\n`);
      }
      return EXIT.ok;
    }
    const { counts, nrAllocated } = countHistogram(image, op === 'metadata_blocks' ? 'metadata' : 'data');
    if (args.has('json')) printJson({ version: 1, op, counts, nrAllocated });
    else {
      const sum = [...counts].reduce((total, [count, times]) => total + count * times, 0);
      const average = nrAllocated === 0 ? 0 : sum / nrAllocated;
      const rows = table('ref-count\ttimes', counts, nrAllocated);
      writeStdout(`${rows}${nrAllocated} blocks allocated\navg ref count = ${average.toFixed(2)}\n`);
    }
  } finally {
    device.close();
  }
  return EXIT.ok;
}

function table(title: string, rows: ReadonlyMap<number, number>, total: number): string {
  const lines = [...rows].map(([key, times]) => `${key}\t${times}\t${((100 * times) / total).toFixed(4)}\n`);
  return `${title}\tpercentage\n${lines.join('')}`;
}
