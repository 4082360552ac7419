/** `era_restore`: builds era metadata out of XML. */

import { EraRestore, readEraXmlAsync } from 'persistent-data/era';
import type { Arguments } from '../arguments.ts';
import { runRestore } from '../restore-command.ts';

export function run(args: Arguments): Promise<number> {
  return runRestore(args, (chunks, device) => readEraXmlAsync(chunks, new EraRestore(device)));
}
