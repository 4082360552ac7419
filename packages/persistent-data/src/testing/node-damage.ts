import type { BlockDevice } from '../io/index.ts';
import type { Random } from './random.ts';
import type { BlockUse, RawImage } from './raw-image.ts';

/**
 * A kind of damage to btrees, whatever they hold. All checksums are right afterwards, except where the kind says otherwise:
 *
 * - `lostNode`: a node is zeros. `bitRot`: one bit of a block is wrong. `swappedNodes`: two nodes lie in each other's place; their numbers tell.
 * - `swappedContents`: two nodes of other keys have each other's content, and their own numbers. `staleNode`: a leaf is as it was some entries ago.
 * - `cycle`: a node refers to itself. `sharedNode`: two entries refer to a node that is counted once.
 * - `geometry`: a node says that it has other entries than it can have. `keyOrder`: two keys are exchanged.
 */
export type NodeDamage = (typeof NODE_DAMAGES)[number];

export const NODE_DAMAGES = [
  'lostNode',
  'bitRot',
  'swappedNodes',
  'swappedContents',
  'staleNode',
  'cycle',
  'sharedNode',
  'geometry',
  'keyOrder',
] as const;

/** Sound metadata, read once, that damage is done to. */
export interface Patient {
  readonly image: RawImage;
  /** What a block is sealed as. */
  useOf(block: number): BlockUse;
}

/** A patient whose nodes are known: what is in use, and what as. */
export interface NodePatient extends Patient {
  /** All blocks in use. */
  readonly blocks: readonly number[];
  readonly allNodes: readonly number[];
  /** Nodes with at least so many entries, as the disk has them: internal ones, leaves, or both. */
  nodesWith(nrEntries: number, isInternal: boolean | undefined): readonly number[];
  /** Nodes with two entries or more that refer to nodes. */
  parents(): readonly number[];
}

/** Changes blocks of an image and keeps account of them. */
export class Surgery<P extends Patient = NodePatient> {
  readonly patient: P;
  readonly image: RawImage;
  readonly #touched = new Set<number>();

  constructor(patient: P) {
    this.patient = patient;
    this.image = patient.image;
  }

  /** The word offset of a block that is about to be changed. */
  open(block: number): number {
    this.#touched.add(block);
    return this.image.load(block);
  }

  seal(block: number, use: BlockUse = this.patient.useOf(block)): void {
    this.image.seal(block, use);
  }

  /** Changes words of a block and seals it again. */
  edit(block: number, change: (words: Uint32Array, base: number) => void): void {
    change(this.image.words, this.open(block));
    this.seal(block);
  }

  /** Puts what was changed onto a device, and makes the image sound again. */
  end(device: BlockDevice | undefined): void {
    for (const block of this.#touched) {
      if (device !== undefined) this.image.store(block, device);
      this.image.forget(block);
    }
  }
}

/** Does one thing to a patient; says what was done, or nothing where it cannot be done. */
export type Doer<P extends Patient = NodePatient> = (surgery: Surgery<P>, random: Random) => string | undefined;

/** Operates, and writes what was changed onto a device with the content of the patient's. */
export function operate<P extends Patient>(
  patient: P,
  device: BlockDevice,
  doer: Doer<P>,
  random: Random,
): string | undefined {
  const surgery = new Surgery(patient);
  const text = doer(surgery, random);
  surgery.end(text === undefined ? undefined : device);
  return text;
}

export const pick = <T>(random: Random, from: readonly T[]): T | undefined =>
  from.length === 0 ? undefined : random.pick(from);

/** The place of value `i` of the node at `base`, in words. */
export const valueWord = (image: RawImage, base: number, i: number): number =>
  8 + 2 * image.u32(base, 5) + (i * image.u32(base, 6)) / 4;

/** Kind, size and keys of a node. */
function keysText(image: RawImage, block: number): string {
  const base = image.load(block);
  const end = base + 8 + 2 * image.u32(base, 4);
  return `${image.u32(base, 1)} ${image.words.subarray(base + 4, end).join(' ')}`;
}

function exchange(surgery: Surgery, a: number, b: number): void {
  const { words } = surgery.image;
  const [baseA, baseB] = [surgery.open(a), surgery.open(b)];
  const copy = words.slice(baseA, baseA + 1024);
  words.copyWithin(baseA, baseB, baseB + 1024);
  words.set(copy, baseB);
}

/** What does the damage of each kind. */
export const NODE_DOERS: Record<NodeDamage, Doer> = {
  lostNode(surgery, random) {
    const node = pick(random, surgery.patient.allNodes);
    if (node === undefined) return undefined;
    const base = surgery.open(node);
    surgery.image.words.fill(0, base, base + 1024);
    return `node ${node} is zeros`;
  },
  bitRot(surgery, random) {
    const block = pick(random, surgery.patient.blocks);
    if (block === undefined) return undefined;
    const word = random.below(1024);
    const base = surgery.open(block);
    surgery.image.words[base + word] = surgery.image.u32(base, word) ^ (1 << random.below(32));
    return `a bit of word ${word} of block ${block} is wrong`;
  },
  swappedNodes(surgery, random) {
    const [a, b] = random.shuffled(surgery.patient.allNodes);
    if (a === undefined || b === undefined) return undefined;
    exchange(surgery, a, b);
    return `nodes ${a} and ${b} are exchanged`;
  },
  swappedContents(surgery, random) {
    const { image, patient } = surgery;
    const [a, ...others] = random.shuffled(patient.allNodes);
    // Two versions of one node, with the same keys, are both whole: nobody could tell.
    const b = a === undefined ? undefined : others.find((other) => keysText(image, other) !== keysText(image, a));
    if (a === undefined || b === undefined) return undefined;
    exchange(surgery, a, b);
    for (const node of [a, b]) surgery.seal(node);
    return `nodes ${a} and ${b} have each other's content`;
  },
  staleNode(surgery, random) {
    const node = pick(random, surgery.patient.nodesWith(1, false));
    if (node === undefined) return undefined;
    const base = surgery.open(node);
    const nrEntries = surgery.image.u32(base, 4);
    surgery.image.words[base + 4] = random.below(nrEntries);
    surgery.seal(node);
    return `leaf ${node} has ${surgery.image.u32(base, 4)} of its ${nrEntries} entries`;
  },
  cycle(surgery, random) {
    const node = pick(random, surgery.patient.nodesWith(1, true));
    if (node === undefined) return undefined;
    const base = surgery.open(node);
    const i = random.below(surgery.image.u32(base, 4));
    surgery.image.setU64(base, valueWord(surgery.image, base, i), node);
    surgery.seal(node);
    return `node ${node} refers to itself`;
  },
  sharedNode(surgery, random) {
    const { patient, image } = surgery;
    const node = pick(random, patient.parents());
    if (node === undefined) return undefined;
    const base = surgery.open(node);
    const i = random.between(1, image.u32(base, 4));
    const child = image.u64(base, valueWord(image, base, 0));
    if (child === image.u64(base, valueWord(image, base, i))) return undefined;
    image.setU64(base, valueWord(image, base, i), child);
    surgery.seal(node);
    return `entries 0 and ${i} of node ${node} refer to ${child}`;
  },
  geometry(surgery, random) {
    const node = pick(random, surgery.patient.allNodes);
    if (node === undefined) return undefined;
    const base = surgery.open(node);
    const word = random.pick([4, 5, 6]);
    const wrong = [
      surgery.image.u32(base, 5) + random.between(1, 300),
      random.pick([0, 1000, 0xffff_ffff]),
      random.pick([0, 1, 12, 4096, 0xffff_fff8]),
    ][word - 4] as number;
    const before = surgery.image.u32(base, word);
    surgery.image.words[base + word] = wrong;
    surgery.seal(node);
    return `word ${word} of node ${node}: ${before} becomes ${wrong}`;
  },
  keyOrder(surgery, random) {
    const node = pick(random, surgery.patient.nodesWith(2, undefined));
    if (node === undefined) return undefined;
    const { image } = surgery;
    const base = surgery.open(node);
    const i = random.between(1, image.u32(base, 4));
    const [a, b] = [image.u64(base, 8 + 2 * i - 2), image.u64(base, 8 + 2 * i)];
    image.setU64(base, 8 + 2 * i - 2, b);
    image.setU64(base, 8 + 2 * i, a);
    surgery.seal(node);
    return `keys ${i - 1} and ${i} of node ${node} are exchanged`;
  },
};
