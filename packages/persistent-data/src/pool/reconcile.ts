import { StateError } from '../base/index.ts';
import type { ThinPool } from '../thin-pool/index.ts';
import type { Registry, RowChange } from './registry.ts';

/** How names and volumes differ. */
interface Mismatch {
  /** Rows without a volume. */
  readonly nameless: readonly number[];
  readonly missing: readonly { readonly id: number; readonly name: string }[];
}

function mismatch(registry: Registry, pool: ThinPool): Mismatch {
  const ids = new Set(pool.devices().map(({ id }) => id));
  return {
    nameless: [...ids].filter((id) => registry.byId(id) === undefined),
    missing: registry.rows().filter(({ id }) => !ids.has(id)),
  };
}

/**
 * Makes names and volumes match when a pool is opened: ends what a crash left between the two. With `force` the pool is believed where something else
 * has changed it: names without a volume go, volumes without a name get one.
 *
 * @throws {StateError} when they don't match and nothing is forced.
 */
export function matchRows(
  registry: Registry,
  pool: ThinPool,
  options: { readonly force: boolean; nowMs: number },
): void {
  if (options.force) {
    registry.override(pool.transactionId, repairs(registry, pool, options.nowMs));
    return;
  }
  registry.reconcile(pool.transactionId);
  const { nameless, missing } = mismatch(registry, pool);
  if (nameless.length === 0 && missing.length === 0) return;
  const texts = [
    ...missing.map(({ name, id }) => `"${name}" (device ${id}) has no volume`),
    ...nameless.map((id) => `device ${id} has no name`),
  ];
  const more = texts.length > 5 ? `, and ${texts.length - 5} more` : '';
  throw new StateError(
    `Cannot match names with volumes: ${texts.slice(0, 5).join(', ')}${more}; something else has changed the pool`,
  );
}

function repairs(registry: Registry, pool: ThinPool, nowMs: number): RowChange[] {
  const { nameless, missing } = mismatch(registry, pool);
  const taken = new Set(registry.rows().map(({ name }) => name));
  return [
    ...missing.map(({ id }) => ({ remove: id })),
    ...nameless.map((id) => {
      let name = `thin-${id}`;
      while (taken.has(name)) name += '_';
      const thin = pool.metadata.openThin(id);
      const sizeBytes = ((thin.highestMapped ?? -1) + 1) * pool.blockBytes;
      thin.close();
      const created = new Date(nowMs);
      const uuid = globalThis.crypto.randomUUID();
      const others = { readOnly: false, origin: undefined, receivedUuid: '', receivedTo: undefined, temporary: false };
      return { put: { id, name, sizeBytes, created, uuid, ...others } };
    }),
  ];
}
