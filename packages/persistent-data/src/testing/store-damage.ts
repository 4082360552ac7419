import {
  bitmapCount,
  blockChecksum,
  ENTRIES_PER_BITMAP,
  metadataBlockKind,
  SALT,
  STORE_SUPERBLOCK,
  setBitmapCount,
} from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { Store } from '../store/index.ts';
import { type Doer, NODE_DAMAGES, NODE_DOERS, type NodePatient, operate, pick } from './node-damage.ts';
import type { Random } from './random.ts';
import { type BlockUse, RawImage } from './raw-image.ts';

/**
 * A kind of damage to a Store. All checksums are right afterwards, except where the kind says otherwise:
 *
 * - `leak`: a free block is counted as in use. `badCount`: one in use is counted as free. `largeCount`: a count is one too high.
 * - The kinds of {@link NodeDamage}.
 * - `emptyRoot`: the catalogue, or the tree of names, is empty. `wrongRoot`: the superblock refers to another node.
 */
export type StoreDamage = (typeof STORE_DAMAGES)[number];

export const STORE_DAMAGES = ['leak', 'badCount', 'largeCount', ...NODE_DAMAGES, 'emptyRoot', 'wrongRoot'] as const;

/** A sound store that was closed, read once, that damage is done to. */
export class StorePatient implements NodePatient {
  readonly device: BlockDevice;
  readonly image: RawImage;
  /** Nodes and bitmaps that the last checkpoint uses. */
  readonly blocks: readonly number[];
  readonly allNodes: readonly number[];
  /** Blocks that the space map counts. A file may be longer: its free end is cut off later. */
  readonly nrBlocks: number;
  /** The bitmap of the first blocks of the file. */
  readonly bitmap: number;
  /** The slot of the superblock that counts. */
  readonly superblock: number;
  readonly #uses = new Map<number, BlockUse>();

  /** @param device - Holds a sound store that was closed, and is not changed while this is in use. */
  constructor(device: BlockDevice) {
    this.device = device;
    this.image = new RawImage(device);
    const { engine } = Store.open(device, { readOnly: true });
    const { spaceMap } = engine.core;
    this.superblock = engine.superblock.generation % 2;
    this.nrBlocks = spaceMap.nrBlocks;
    for (let block = 2; block < this.nrBlocks; block++) {
      if (spaceMap.getCount(block) === 0) continue;
      const kind = metadataBlockKind(this.image.words, this.image.load(block));
      if (kind === 'btreeNode') this.#uses.set(block, 'node');
      if (kind === 'bitmap') this.#uses.set(block, 'bitmap');
    }
    this.blocks = [...this.#uses.keys()];
    this.allNodes = this.blocks.filter((block) => this.useOf(block) === 'node');
    const index = this.image.load(engine.superblock.spaceMapRoot.bitmapRoot);
    this.bitmap = this.image.u64(index, 4);
  }

  useOf(block: number): BlockUse {
    return this.#uses.get(block) ?? 'node';
  }

  nodesWith(nrEntries: number, isInternal: boolean | undefined): number[] {
    return this.allNodes.filter((block) => {
      const base = this.image.load(block);
      if (isInternal !== undefined && (this.image.u32(base, 1) === 1) !== isInternal) return false;
      return this.image.u32(base, 4) >= nrEntries;
    });
  }

  parents(): number[] {
    return this.nodesWith(2, true);
  }
}

type StoreDoer = Doer<StorePatient>;

function changeCount(from: number, to: number): StoreDoer {
  return (surgery, random) => {
    const { image, patient } = surgery;
    const base = surgery.open(patient.bitmap);
    const nrBlocks = Math.min(patient.nrBlocks, ENTRIES_PER_BITMAP);
    const bits = Array.from({ length: nrBlocks }, (_, bit) => bit);
    const bit = pick(
      random,
      bits.filter((each) => bitmapCount(image.words, base, each) === from),
    );
    if (bit === undefined) return undefined;
    setBitmapCount(image.words, base, bit, to);
    surgery.seal(patient.bitmap, 'bitmap');
    return `block ${bit}: count ${from} becomes ${to}`;
  };
}

const ROOTS = ['catalogueRoot', 'namesRoot'] as const;

const DOERS: Record<StoreDamage, StoreDoer> = {
  ...NODE_DOERS,
  leak: changeCount(0, 1),
  badCount: changeCount(1, 0),
  largeCount: changeCount(1, 2),
  emptyRoot(surgery, random) {
    const { image, patient } = surgery;
    const name = random.pick(ROOTS);
    const root = image.u64(image.load(patient.superblock), STORE_SUPERBLOCK.word(name));
    if (image.u32(image.load(root), 4) === 0) return undefined;
    image.words[surgery.open(root) + 4] = 0;
    surgery.seal(root);
    return `${name} ${root} is empty`;
  },
  wrongRoot(surgery, random) {
    const { image, patient } = surgery;
    const name = random.pick(ROOTS);
    const base = surgery.open(patient.superblock);
    const root = image.u64(base, STORE_SUPERBLOCK.word(name));
    const other = pick(
      random,
      patient.allNodes.filter((node) => node !== root),
    );
    if (other === undefined) return undefined;
    image.setU64(base, STORE_SUPERBLOCK.word(name), other);
    image.words[base] = blockChecksum(image.words, base, SALT.storeSuperblock);
    return `${name} is ${other} and not ${root}`;
  },
};

/**
 * Does one kind of damage to a store.
 *
 * @param device - A device with the content of `patient.device`; the damage is done here.
 * @returns What was done, as a sentence; `undefined` when the store has nothing that this could be done to.
 */
export function damageStore(
  patient: StorePatient,
  device: BlockDevice,
  kind: StoreDamage,
  random: Random,
): string | undefined {
  return operate(patient, device, DOERS[kind], random);
}
