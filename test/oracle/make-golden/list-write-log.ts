/** Lists a log of dm-log-writes, one line for each entry: `tsx list-write-log.ts LOG`. */

import { readFileSync } from 'node:fs';
import { listWriteLog, parseWriteLog } from '../../golden/write-log.ts';

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: tsx list-write-log.ts LOG');
process.stdout.write(listWriteLog(parseWriteLog(new Uint8Array(readFileSync(file)))));
