import { bitmapCount, ENTRIES_PER_BITMAP, ERA_SUPERBLOCK, setBitmapCount } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import type { EraPatient } from './era-patient.ts';
import { type Doer as DoerOn, operate, pick, type Surgery } from './node-damage.ts';
import type { Random } from './random.ts';

/**
 * A kind of damage to era metadata. All checksums are right afterwards, except where the kind says otherwise:
 *
 * - `leak`: a free block is counted as in use. `badCount`: one in use is counted as free. `largeCount`: a count is one too high.
 * - `lostNode`, `lostBlock`: a node, an array block is zeros. `bitRot`: one bit of a block is wrong.
 * - `geometry`: a node says that it has other entries than it can have. `shortBlock`: an array block has less entries than it had.
 * - `keyOrder`: a key is what it cannot be. `wrongRoot`: the superblock refers to another node.
 * - `farEra`: a block's era is beyond the current one. `farWriteset`: a writeset's is. `longWriteset`: a writeset says that it has more bits.
 */
export type EraDamage = (typeof ERA_DAMAGES)[number];

export const ERA_DAMAGES = [
  'leak',
  'badCount',
  'largeCount',
  'lostNode',
  'lostBlock',
  'bitRot',
  'geometry',
  'shortBlock',
  'keyOrder',
  'wrongRoot',
  'farEra',
  'farWriteset',
  'longWriteset',
] as const;

type Doer = DoerOn<EraPatient>;

const superblockWord = (name: Parameters<typeof ERA_SUPERBLOCK.word>[0]): number => ERA_SUPERBLOCK.word(name);

/** Changes the count of a metadata block that has the count `from`. */
function changeCount(surgery: Surgery<EraPatient>, random: Random, from: number, to: number): string | undefined {
  const { patient } = surgery;
  const { image } = patient;
  const nrBlocks = Math.min(image.u64(image.load(0), superblockWord('metadataSpaceMapRoot')), ENTRIES_PER_BITMAP);
  const [bitmap] = patient.bitmaps;
  if (bitmap === undefined) return undefined;
  const base = image.load(bitmap);
  const blocks = Array.from({ length: nrBlocks }, (_, i) => i).filter(
    (b) => bitmapCount(image.words, base, b) === from,
  );
  const block = pick(random, blocks);
  if (block === undefined) return undefined;
  surgery.edit(bitmap, (words, at) => setBitmapCount(words, at, block, to));
  return `metadata block ${block}: count ${from} becomes ${to}`;
}

/** Leaves of the tree of writesets with something in them. */
function writesetLeaves({ image, nodes }: EraPatient): number[] {
  return nodes.writesets.filter((block) => {
    const base = image.load(block);
    return image.u32(base, 1) === 2 && image.u32(base, 4) > 0;
  });
}

const DOERS: Record<EraDamage, Doer> = {
  leak: (surgery, random) => changeCount(surgery, random, 0, 1),
  badCount: (surgery, random) => changeCount(surgery, random, 1, 0),
  largeCount: (surgery, random) => changeCount(surgery, random, 1, 2),
  lostNode: (surgery, random) => zero(surgery, pick(random, surgery.patient.allNodes), 'node'),
  lostBlock(surgery, random) {
    const { eraBlocks, bitBlocks } = surgery.patient;
    return zero(surgery, pick(random, [...eraBlocks, ...bitBlocks]), 'array block');
  },
  bitRot(surgery, random) {
    const block = random.pick(surgery.patient.blocks);
    const word = random.below(1024);
    surgery.patient.image.words[surgery.open(block) + word]! ^= 1 << random.below(32);
    return `a bit of word ${word} of block ${block} is wrong`;
  },
  geometry(surgery, random) {
    const node = random.pick(surgery.patient.allNodes);
    const word = random.pick([4, 5, 6]);
    const value = random.pick([1000, 0xffff_ffff, 4096, 0xffff_fff8]);
    surgery.edit(node, (words, base) => {
      words[base + word] = value;
    });
    return `word ${word} of node ${node} is ${value}`;
  },
  shortBlock(surgery, random) {
    const block = pick(random, [...surgery.patient.eraBlocks, ...surgery.patient.bitBlocks]);
    if (block === undefined) return undefined;
    let before = 0;
    surgery.edit(block, (words, base) => {
      before = words[base + 2]!;
      words[base + 2] = random.below(Math.max(1, before));
    });
    return before === 0 ? undefined : `array block ${block} has less than its ${before} entries`;
  },
  keyOrder(surgery, random) {
    const { image, allNodes } = surgery.patient;
    const node = pick(
      random,
      allNodes.filter((block) => image.u32(image.load(block), 4) > 0),
    );
    if (node === undefined) return undefined;
    const key = random.between(1, 2 ** 31) * 2;
    surgery.edit(node, (words, base) => {
      words[base + 8 + 2 * random.below(words[base + 4]!)] = key;
    });
    return `a key of node ${node} is ${key}`;
  },
  wrongRoot(surgery, random) {
    const { image, allNodes } = surgery.patient;
    const name = random.pick(['writesetTreeRoot', 'eraArrayRoot'] as const);
    const root = image.u64(image.load(0), superblockWord(name));
    const other = pick(
      random,
      allNodes.filter((node) => node !== root),
    );
    if (other === undefined) return undefined;
    surgery.edit(0, (_words, base) => image.setU64(base, superblockWord(name), other));
    return `${name} is ${other} and not ${root}`;
  },
  farEra(surgery, random) {
    const block = pick(random, surgery.patient.eraBlocks);
    if (block === undefined) return undefined;
    const era = random.between(2 ** 30, 2 ** 31);
    surgery.edit(block, (words, base) => {
      words[base + 6 + random.below(Math.max(1, words[base + 2]!))] = era;
    });
    return `an era in array block ${block} is ${era}`;
  },
  farWriteset(surgery, random) {
    const leaf = pick(random, writesetLeaves(surgery.patient));
    if (leaf === undefined) return undefined;
    const era = random.between(2 ** 30, 2 ** 31);
    surgery.edit(leaf, (words, base) => {
      words[base + 8 + 2 * (words[base + 4]! - 1)] = era;
    });
    return `the last writeset of leaf ${leaf} is of era ${era}`;
  },
  longWriteset(surgery, random) {
    const leaf = pick(random, writesetLeaves(surgery.patient));
    if (leaf === undefined) return undefined;
    const nrBits = random.between(2 ** 30, 2 ** 31);
    surgery.edit(leaf, (words, base) => {
      words[base + surgery.patient.valueWord(base, random.below(words[base + 4]!))] = nrBits;
    });
    return `a writeset of leaf ${leaf} has ${nrBits} bits`;
  },
};

function zero(surgery: Surgery<EraPatient>, block: number | undefined, kind: string): string | undefined {
  if (block === undefined) return undefined;
  const base = surgery.open(block);
  surgery.patient.image.words.fill(0, base, base + 1024);
  return `${kind} ${block} is zeros`;
}

/** Words that hide a mistake in arithmetic, if there is one. */
const TELLING = [0, 1, 2, 3, 63, 64, 201, 252, 253, 509, 510, 1018, 1019, 4096, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/** Changes that no fault of a disk explains, with right checksums: what a hostile image may hold. */
const HOSTILE: readonly Doer[] = [
  function setWord(surgery, random) {
    const { image, blocks } = surgery.patient;
    const block = random.pick(blocks);
    const word = random.chance(0.5) ? random.between(1, 16) : random.below(1024);
    const value = random.chance(0.4) ? random.below(image.nrBlocks + 2) : random.pick(TELLING);
    surgery.edit(block, (words, base) => {
      words[base + word] = value;
    });
    return `word ${word} of block ${block} is ${value}`;
  },
  function setSuperblock(surgery, random) {
    const { image } = surgery.patient;
    const word = random.between(1, ERA_SUPERBLOCK.size / 4);
    const value = random.chance(0.6) ? random.below(image.nrBlocks + 2) : random.pick(TELLING);
    surgery.edit(0, (words, base) => {
      words[base + word] = value;
    });
    return `word ${word} of the superblock is ${value}`;
  },
  function setValue(surgery, random) {
    const { patient } = surgery;
    const node = random.pick(patient.allNodes);
    const value = random.chance(0.6) ? random.below(patient.image.nrBlocks + 2) : random.pick(TELLING);
    surgery.edit(node, (words, base) => {
      const nrEntries = Math.max(1, Math.min(200, words[base + 4]!));
      words[base + Math.floor(patient.valueWord(base, random.below(nrEntries))) + random.below(2)] = value;
    });
    return `a value of node ${node} is ${value}`;
  },
  function copyBlock(surgery, random) {
    const { patient } = surgery;
    const [from, to] = [random.pick(patient.blocks), random.pick(patient.blocks)];
    const at = patient.image.load(from);
    const base = surgery.open(to);
    patient.image.words.copyWithin(base, at, at + 1024);
    surgery.seal(to, patient.useOf(random.chance(0.5) ? from : to));
    return `block ${to} is a copy of block ${from}`;
  },
];

/**
 * Does one kind of damage to era metadata.
 *
 * @param device - A device with the content of `patient.device`; the damage is done here.
 * @returns What was done, as a sentence; `undefined` when there is nothing that this could be done to.
 */
export function damageEra(
  patient: EraPatient,
  device: BlockDevice,
  kind: EraDamage,
  random: Random,
): string | undefined {
  return operate(patient, device, DOERS[kind], random);
}

/** Makes a change that a hostile image may have, or that damage is like: the same seed gives the same change. */
export function mutateEra(patient: EraPatient, device: BlockDevice, random: Random): string | undefined {
  const doer = random.chance(0.4) ? DOERS[random.pick(ERA_DAMAGES)] : random.pick(HOSTILE);
  return operate(patient, device, doer, random);
}
