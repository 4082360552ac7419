/** Reads `tools/records-1.1.txt.gz`: what version 1.1.0 of the tools says of golden images. `tools/record.sh` makes it. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** One call of a tool. */
export interface ToolRecord {
  readonly tool: string;
  /** Family and name of the golden image. */
  readonly image: string;
  readonly options: readonly string[];
  /** What was on standard output, and on standard error. */
  readonly stdout: string;
  readonly stderr: string;
}

/** All records of a tool, by a title that is different for each. */
export function toolRecords(tool: string): [string, ToolRecord][] {
  const text = gunzipSync(readFileSync(join(import.meta.dirname, 'tools/records-1.1.txt.gz'))).toString('utf8');
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((part): [string, ToolRecord] => {
      const [command = '', ...lines] = part.split('\n');
      const words = command.split(' ').filter((word) => word !== '');
      const isError = (line: string): boolean => line.startsWith('! ');
      const stderr = lines.filter(isError).map((line) => line.slice(2));
      // The recorder ends what was on standard output with a line feed of its own.
      const stdout = lines.filter((line) => !isError(line)).join('\n');
      const record = {
        tool: words[0]!,
        image: words.at(-1)!,
        options: words.slice(1, -1),
        stdout: stdout.replace(/\n\n$|\n$/, (end) => (end === '\n\n' ? '\n' : '')),
        stderr: stderr.join('\n'),
      };
      return [command, record];
    })
    .filter(([, record]) => record.tool === tool);
}
