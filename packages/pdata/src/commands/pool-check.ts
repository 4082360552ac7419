/** `pool check`: checks all three files of a pool that is not served: the metadata, the registry, and that names and volumes match. */

import { join } from 'node:path';
import { type Finding, LockedError, Store } from 'persistent-data';
import { FileDevice } from 'persistent-data/io';
import { POOL_FILES, Pool } from 'persistent-data/pool';
import { checkThin } from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { printJson } from '../print-json.ts';
import { writeStdout } from '../standard-output.ts';

interface NamedFinding {
  readonly file: string;
  readonly message: string;
}

export async function run(args: Arguments): Promise<number> {
  const folder = args.operand(0);
  const findings: NamedFinding[] = [];
  const note = (file: string, found: Iterable<Finding>): void => {
    for (const { message } of found) findings.push({ file, message });
  };
  const reconcile = args.has('reconcile');
  let names = 0;
  try {
    // Also ends what a crash has left between names and volumes, when it may write.
    const pool = Pool.open(folder, reconcile ? { reconcile } : { readOnly: true });
    names = pool.records().length;
    await pool.close();
  } catch (error) {
    if (error instanceof LockedError) throw new Error(`${error.message}; stop it first, a check wants files at rest`);
    if (!isPool(folder)) throw error;
    findings.push({ file: folder, message: (error as Error).message });
  }
  const metadata = FileDevice.open(join(folder, POOL_FILES.metadata), { readOnly: true });
  try {
    note(POOL_FILES.metadata, checkThin(metadata));
  } finally {
    metadata.close();
  }
  note(POOL_FILES.registry, checkRegistry(join(folder, POOL_FILES.registry)));
  const isSound = findings.length === 0;
  if (args.has('json')) printJson({ version: 1, pool: folder, isSound, nrVolumes: names, findings });
  else if (isSound) writeStdout(`${folder}: sound, ${names} volumes\n`);
  else for (const { file, message } of findings) writeStdout(`${file}: ${message}\n`);
  return isSound ? EXIT.ok : EXIT.failure;
}

function isPool(folder: string): boolean {
  try {
    FileDevice.open(join(folder, POOL_FILES.metadata), { readOnly: true }).close();
    return true;
  } catch {
    return false;
  }
}

function* checkRegistry(path: string): Generator<Finding> {
  const store = Store.open(path, { readOnly: true });
  try {
    yield* store.check();
  } finally {
    store.close();
  }
}
