import { ReadOnlyError } from '../base/index.ts';
import type { ChangeQueue } from './change-queue.ts';
import { checkVolumeSize } from './new-record.ts';
import type { OpenVolumes } from './open-volumes.ts';
import type { VolumeRecord } from './volume-record.ts';

/**
 * Gives a volume another size. Larger: noted first, so that nothing beyond the old end is answered for before the new one is durable. Smaller: what lies beyond
 * is given up first, so that it does not come back.
 *
 * @throws {StateError} when it would be smaller and somebody has it open. @throws {ReadOnlyError} when it is read-only.
 */
export async function changeSize(
  { changes, volumes }: { readonly changes: ChangeQueue; readonly volumes: OpenVolumes },
  record: VolumeRecord,
  sizeBytes: number,
): Promise<void> {
  checkVolumeSize(sizeBytes);
  if (record.readOnly) throw new ReadOnlyError(`Cannot resize volume "${record.name}": it is read-only`);
  if (sizeBytes < record.sizeBytes) volumes.refuseUsed('shrink', record);
  const entry = volumes.take(record, true);
  try {
    if (sizeBytes >= record.sizeBytes) await changes.writeRow({ ...record, sizeBytes });
    await entry.thin.resize(sizeBytes);
    if (sizeBytes >= record.sizeBytes) return;
    await entry.thin.flush();
    await changes.writeRow({ ...record, sizeBytes });
  } finally {
    volumes.giveBack(entry, true);
  }
}
