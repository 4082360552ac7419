import { DeviceSets } from './device-sets.ts';
import type { ThinImage } from './image.ts';
import { walkShared } from './shared-walk.ts';

/** Runs of mappings by length, as far as leaves hold them together. */
export interface RunLengths {
  /** Runs of each length, shortest first. */
  readonly lengths: ReadonlyMap<number, number>;
  readonly nrRuns: number;
  readonly nrMappings: number;
  readonly nrLeaves: number;
}

/** Counts runs of mappings whose virtual and data blocks both advance by one, in each leaf of the pool once. */
export function runLengths(image: ThinImage): RunLengths {
  const roots = [...image.roots().values()];
  const lengths = new Map<number, number>();
  let nrRuns = 0;
  let nrMappings = 0;
  let nrLeaves = 0;
  const end = (length: number): void => {
    if (length === 0) return;
    lengths.set(length, (lengths.get(length) ?? 0) + 1);
    nrRuns++;
    nrMappings += length;
  };
  walkShared(image.scanner, roots, new DeviceSets(roots.length), (node) => {
    nrLeaves++;
    const { words, nrEntries } = node;
    const values = node.valueAt(0) >>> 2;
    let length = 0;
    let nextKey = -1;
    let nextBlock = -1;
    for (let i = 0; i < nrEntries; i++) {
      const key = node.keyAt(i);
      const block = words[values + 2 * i + 1]! * 256 + (words[values + 2 * i]! >>> 24);
      if (key !== nextKey || block !== nextBlock) {
        end(length);
        length = 0;
      }
      length++;
      nextKey = key + 1;
      nextBlock = block + 1;
    }
    end(length);
  });
  return { lengths: new Map([...lengths].sort(([a], [b]) => a - b)), nrRuns, nrMappings, nrLeaves };
}
