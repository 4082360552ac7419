import { bitmapCount, ENTRIES_PER_BITMAP, setBitmapCount, THIN_SUPERBLOCK } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import {
  type Doer,
  NODE_DAMAGES,
  NODE_DOERS,
  type NodePatient,
  operate,
  pick,
  type Surgery,
  valueWord,
} from './node-damage.ts';
import type { Random } from './random.ts';
import { type BlockUse, RawImage } from './raw-image.ts';
import { auditThin, type ThinAudit, type TreeName } from './thin-audit.ts';

/**
 * A kind of damage to thin metadata. All checksums are right afterwards, except where the kind says otherwise:
 *
 * - `leak`: a free block is counted as in use. `badCount`: one in use is counted as free. `largeCount`: a count is one too high.
 * - The kinds of {@link NodeDamage}.
 * - `emptyRoot`: the tree of devices or that of details is empty. `wrongRoot`: the superblock refers to another node.
 * - `farData`: a mapping leads beyond the data device.
 */
export type ThinDamage = (typeof THIN_DAMAGES)[number];

export const THIN_DAMAGES = [
  'leak',
  'badCount',
  'largeCount',
  ...NODE_DAMAGES,
  'emptyRoot',
  'wrongRoot',
  'farData',
] as const;

/** A sound pool, read once, that damage is done to. */
export class ThinPatient implements NodePatient {
  readonly device: BlockDevice;
  readonly image: RawImage;
  readonly audit: ThinAudit;
  readonly blocks: readonly number[];

  /** @param device - Holds a sound pool, and is not changed while this is in use. */
  constructor(device: BlockDevice) {
    this.device = device;
    this.image = new RawImage(device);
    this.audit = auditThin(device);
    this.blocks = [...this.audit.uses.keys()];
  }

  nodes(name: TreeName): readonly number[] {
    return this.audit.nodes.get(name) ?? [];
  }

  get allNodes(): readonly number[] {
    return [...this.audit.nodes.values()].flat();
  }

  useOf(block: number): BlockUse {
    return this.audit.uses.get(block) ?? 'node';
  }

  /** Nodes with at least so many entries, as the disk has them. */
  nodesWith(nrEntries: number, isInternal: boolean | undefined, names?: readonly TreeName[]): number[] {
    const nodes = names === undefined ? this.allNodes : names.flatMap((name) => this.nodes(name));
    return nodes.filter((block) => {
      const base = this.image.load(block);
      if (isInternal !== undefined && (this.image.u32(base, 1) === 1) !== isInternal) return false;
      return this.image.u32(base, 4) >= nrEntries;
    });
  }

  /** The values of the list of devices are nodes too. */
  parents(): readonly number[] {
    return [...this.nodesWith(2, true), ...this.nodesWith(2, false, ['devices'])];
  }
}

type ThinDoer = Doer<ThinPatient>;

/** Changes the count of one block in a bitmap, and the sums above it, so that only the count itself is wrong. */
function changeCount(
  surgery: Surgery<ThinPatient>,
  random: Random,
  from: readonly number[],
  to: number,
): string | undefined {
  const { image, patient } = surgery;
  const isData = random.chance(0.5);
  const rootWord = THIN_SUPERBLOCK.word(isData ? 'dataSpaceMapRoot' : 'metadataSpaceMapRoot');
  const superblock = image.load(0);
  const nrBlocks = Math.min(image.u64(superblock, rootWord), ENTRIES_PER_BITMAP);
  const indexRoot = image.u64(superblock, rootWord + 4);
  if (isData && patient.nodes('dataIndex').length !== 1) return undefined;
  const index = image.load(indexRoot);
  const entry = isData ? valueWord(image, index, 0) : 4;
  if (nrBlocks === 0) return undefined;
  const bitmapBlock = image.u64(index, entry);
  const bitmap = image.load(bitmapBlock);
  const bits = Array.from({ length: nrBlocks }, (_, bit) => bit);
  const bit = pick(
    random,
    bits.filter((each) => from.includes(bitmapCount(image.words, bitmap, each))),
  );
  if (bit === undefined) return undefined;
  const before = bitmapCount(image.words, bitmap, bit);
  setBitmapCount(image.words, surgery.open(bitmapBlock), bit, to);
  surgery.seal(bitmapBlock, 'bitmap');
  const change = Math.sign(to) - Math.sign(before);
  surgery.open(indexRoot);
  image.words[index + entry + 2] = image.u32(index, entry + 2) - change;
  image.words[index + entry + 3] = Math.min(image.u32(index, entry + 3), to === 0 ? bit : nrBlocks);
  surgery.seal(indexRoot, isData ? 'node' : 'index');
  surgery.open(0);
  image.setU64(superblock, rootWord + 2, image.u64(superblock, rootWord + 2) + change);
  surgery.seal(0, 'superblock');
  return `${isData ? 'data' : 'metadata'} block ${bit}: count ${before} becomes ${to}`;
}

const DOERS: Record<ThinDamage, ThinDoer> = {
  ...NODE_DOERS,
  leak: (surgery, random) => changeCount(surgery, random, [0], 1),
  badCount: (surgery, random) => changeCount(surgery, random, [1], 0),
  largeCount: (surgery, random) => changeCount(surgery, random, [1], 2),
  emptyRoot(surgery, random) {
    const { image } = surgery;
    const name = random.pick(['dataMappingRoot', 'deviceDetailsRoot'] as const);
    const root = image.u64(image.load(0), THIN_SUPERBLOCK.word(name));
    if (image.u32(image.load(root), 4) === 0) return undefined;
    image.words[surgery.open(root) + 4] = 0;
    surgery.seal(root);
    return `${name} ${root} is empty`;
  },
  wrongRoot(surgery, random) {
    const { image, patient } = surgery;
    const name = random.pick(['dataMappingRoot', 'deviceDetailsRoot'] as const);
    const base = surgery.open(0);
    const root = image.u64(base, THIN_SUPERBLOCK.word(name));
    const other = pick(
      random,
      patient.allNodes.filter((node) => node !== root),
    );
    if (other === undefined) return undefined;
    image.setU64(base, THIN_SUPERBLOCK.word(name), other);
    surgery.seal(0);
    return `${name} is ${other} and not ${root}`;
  },
  farData(surgery, random) {
    const { image, patient } = surgery;
    const node = pick(random, patient.nodesWith(1, false, ['mappings']));
    if (node === undefined) return undefined;
    const base = surgery.open(node);
    const i = random.below(image.u32(base, 4));
    const word = valueWord(image, base, i);
    image.words[base + word + 1] = image.u32(base, word + 1) + 2 ** random.between(20, 31);
    surgery.seal(node);
    return `entry ${i} of leaf ${node} maps to a data block that is not there`;
  },
};

/** Words that hide a mistake in arithmetic, if there is one. */
const TELLING = [0, 1, 2, 3, 127, 128, 252, 253, 255, 256, 4095, 4096, 16320, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/** Changes that no fault of a disk explains, all with right checksums: what a hostile image may hold. */
const HOSTILE: readonly ThinDoer[] = [
  function setWord(surgery, random) {
    const { image, patient } = surgery;
    const block = random.pick(patient.blocks);
    const base = surgery.open(block);
    const word = random.chance(0.5) ? random.between(1, 16) : random.below(1024);
    const value = random.chance(0.4) ? random.below(image.nrBlocks + 2) : random.pick(TELLING);
    image.words[base + word] = value;
    surgery.seal(block);
    return `word ${word} of block ${block} is ${value}`;
  },
  function setSuperblock(surgery, random) {
    const { image } = surgery;
    const base = surgery.open(0);
    const word = random.between(4, 91);
    const value = random.chance(0.6) ? random.below(image.nrBlocks + 2) : random.pick(TELLING);
    image.words[base + word] = value;
    surgery.seal(0);
    return `word ${word} of the superblock is ${value}`;
  },
  function setEntry(surgery, random) {
    const { image, patient } = surgery;
    const node = pick(random, patient.nodesWith(1, undefined));
    if (node === undefined) return undefined;
    const base = surgery.open(node);
    const i = random.below(Math.min(252, image.u32(base, 4)));
    const word = random.chance(0.3) ? 8 + 2 * i : valueWord(image, base, i);
    const at = Math.min(1022, Math.max(8, Math.floor(word))) + random.below(2);
    const value = random.chance(0.6) ? random.below(image.nrBlocks + 2) : random.pick(TELLING);
    image.words[base + at] = value;
    surgery.seal(node);
    return `word ${at} of node ${node}, in entry ${i}, is ${value}`;
  },
  function setHeader(surgery, random) {
    const { image, patient } = surgery;
    const node = random.pick(patient.allNodes);
    const base = surgery.open(node);
    const word = random.pick([1, 4, 5, 6, 7]);
    const value = random.chance(0.6) ? random.below(256) : random.pick(TELLING);
    image.words[base + word] = value;
    surgery.seal(node);
    return `word ${word} of node ${node} is ${value}`;
  },
  function copyBlock(surgery, random) {
    const { image, patient } = surgery;
    const [from, to] = [random.pick(patient.blocks), random.pick(patient.blocks)];
    const base = surgery.open(to);
    image.words.copyWithin(base, image.load(from), image.load(from) + 1024);
    surgery.seal(to, random.chance(0.5) ? patient.useOf(from) : patient.useOf(to));
    return `block ${to} is a copy of block ${from}`;
  },
  function flipBits(surgery, random) {
    const { image, patient } = surgery;
    const block = random.pick(patient.blocks);
    const base = surgery.open(block);
    for (let i = random.between(1, 9); i > 0; i--) {
      const word = random.between(1, random.chance(0.5) ? 1024 : 40);
      image.words[base + word] = image.u32(base, word) ^ (1 << random.below(32));
    }
    surgery.seal(block);
    return `bits of block ${block} are flipped`;
  },
  function noise(surgery, random) {
    const { image, patient } = surgery;
    const block = random.pick(patient.blocks);
    const base = surgery.open(block);
    const begin = random.between(1, 1000);
    const end = random.between(begin, 1024);
    for (let word = begin; word < end; word++) image.words[base + word] = random.uint32();
    surgery.seal(block);
    return `words ${begin} to ${end} of block ${block} are noise`;
  },
];

/**
 * Does one kind of damage to a pool.
 *
 * @param device - A device with the content of `patient.device`; the damage is done here.
 * @returns What was done, as a sentence; `undefined` when the pool has nothing that this could be done to.
 */
export function damageThin(
  patient: ThinPatient,
  device: BlockDevice,
  kind: ThinDamage,
  random: Random,
): string | undefined {
  return operate(patient, device, DOERS[kind], random);
}

/** Makes a change that a hostile image may have, or that damage is like: a `seed` gives the same change for the same pool. */
export function mutateThin(patient: ThinPatient, device: BlockDevice, random: Random): string | undefined {
  const doer = random.chance(0.35) ? DOERS[random.pick(THIN_DAMAGES)] : random.pick(HOSTILE);
  return operate(patient, device, doer, random);
}
