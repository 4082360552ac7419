import {
  bitmapCount,
  CACHE_FLAG_CLEAN_SHUTDOWN,
  CACHE_FLAG_NEEDS_CHECK,
  CACHE_MAPPING_VALID,
  setBitmapCount,
} from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { CachePatient, type CacheRootField } from './cache-patient.ts';
import type { Random } from './random.ts';

/**
 * A kind of damage to cache metadata. All checksums are right afterwards, except where the kind says otherwise:
 *
 * - `leak`: a free block is counted as in use. `badCount`: one in use is counted as free.
 * - `lostMappings`, `lostHints`, `lostDirtyBits`, `lostDiscards`: a block of that array is zeros. `lostNode`: a node is.
 * - `bitRot`: one bit of a block is wrong. `wrongRoot`: the mappings' root is that of the hints.
 * - `unknownFlags`, `dirtyUnmapped`, `mappedTwice`, `beyondOrigin`: a mapping, or a dirty bit, that cannot be.
 * - `tooShort`: the superblock says more cache blocks than there are.
 * - `needsCheck`, `unclean`: no damage but a flag, as a failure or a crash leaves it.
 * - `hintWidth`, `feature`, `version`: something that nobody knows.
 */
export type CacheDamage = (typeof CACHE_DAMAGES)[number];

export const CACHE_DAMAGES = [
  'leak',
  'badCount',
  'lostMappings',
  'lostHints',
  'lostDirtyBits',
  'lostDiscards',
  'lostNode',
  'bitRot',
  'wrongRoot',
  'unknownFlags',
  'dirtyUnmapped',
  'mappedTwice',
  'beyondOrigin',
  'tooShort',
  'needsCheck',
  'unclean',
  'hintWidth',
  'feature',
  'version',
] as const;

/** Does it, and says what; `undefined` where the cache has nothing that it fits to. */
type Doer = (patient: CachePatient, random: Random) => string | undefined;

const ROOTS: readonly CacheRootField[] = ['mappingRoot', 'hintRoot', 'discardRoot', 'dirtyRoot'];

function loseArrayBlock(field: CacheRootField): Doer {
  return (patient, random) => {
    const blocks = patient.arrayBlocks(field);
    return blocks.length === 0 ? undefined : zero(patient, random.pick(blocks), `array block of ${field}`);
  };
}

function zero(patient: CachePatient, block: number, what: string): string {
  const victim = patient.arrayBlock(block);
  victim.slab.bytes.fill(0);
  victim.writeRaw();
  return `${what} ${block} is zeros`;
}

/** Changes the count of one block from `from` to `to`, in its bitmap alone. */
function changeCount(from: number, to: number): Doer {
  return (patient, random) => {
    const bitmap = patient.bitmap();
    const { words } = bitmap.slab;
    const nrBlocks = Math.min(patient.superblock.metadataSpaceMapRoot.nrBlocks, 16_320);
    const blocks = Array.from({ length: nrBlocks }, (_, bit) => bit).filter(
      (bit) => bitmapCount(words, 0, bit) === from,
    );
    if (blocks.length === 0) return undefined;
    const block = random.pick(blocks);
    setBitmapCount(words, 0, block, to);
    bitmap.write();
    return `the count of metadata block ${block} is ${to} in place of ${from}`;
  };
}

/** Changes the entry of a cache block that is mapped, or not; by its words. */
function changeEntry(isMapped: boolean, change: (words: Uint32Array, other: Uint32Array) => string): Doer {
  return (patient, random) => {
    const found: { block: number; slot: number; cacheBlock: number }[] = [];
    const mapped: Uint32Array[] = [];
    for (const [index, block] of patient.arrayBlocks('mappingRoot').entries()) {
      const { array } = patient.arrayBlock(block);
      for (let slot = 0; slot < array.nrEntries; slot++) {
        const at = array.valueAt(slot) >>> 2;
        const isValid = (array.words[at]! & CACHE_MAPPING_VALID) !== 0;
        if (isValid) mapped.push(array.words.slice(at, at + 2));
        if (isValid === isMapped) found.push({ block, slot, cacheBlock: index * array.maxEntries + slot });
      }
    }
    if (found.length === 0 || mapped.length < 2) return undefined;
    const { block, slot, cacheBlock } = random.pick(found);
    const victim = patient.arrayBlock(block);
    const at = victim.array.valueAt(slot) >>> 2;
    const entry = victim.slab.words.subarray(at, at + 2);
    const others = mapped.filter(([low, high]) => low !== entry[0] || high !== entry[1]);
    const what = change(entry, random.pick(others));
    victim.write();
    return `cache block ${cacheBlock} ${what}`;
  };
}

function changeFlags(change: (flags: number) => number, what: string): Doer {
  return (patient) => {
    patient.changeSuperblock('flags', (words) => {
      words[0] = change(words[0]!) >>> 0;
    });
    return what;
  };
}

function setField(
  field: Parameters<CachePatient['changeSuperblock']>[0],
  value: (patient: CachePatient) => number,
): Doer {
  return (patient) => {
    patient.changeSuperblock(field, (words) => {
      words[0] = value(patient);
    });
    return `the superblock's ${field} is ${value(patient)}`;
  };
}

const DOERS: Readonly<Record<CacheDamage, Doer>> = {
  leak: changeCount(0, 1),
  badCount: changeCount(1, 0),
  lostMappings: loseArrayBlock('mappingRoot'),
  lostHints: loseArrayBlock('hintRoot'),
  lostDirtyBits: loseArrayBlock('dirtyRoot'),
  lostDiscards: loseArrayBlock('discardRoot'),
  lostNode: (patient, random) => zero(patient, random.pick(ROOTS.flatMap((root) => patient.nodes(root))), 'node'),
  bitRot: (patient, random) => {
    const block = random.pick(ROOTS.flatMap((root) => [...patient.nodes(root), ...patient.arrayBlocks(root)]));
    const victim = patient.arrayBlock(block);
    const bit = random.below(8 * 4096);
    victim.slab.bytes[bit >>> 3]! ^= 1 << (bit & 7);
    victim.writeRaw();
    return `bit ${bit} of block ${block} is wrong`;
  },
  wrongRoot: (patient, random) => {
    const { hintRoot } = patient.superblock;
    return hintRoot === 0 ? undefined : setField('mappingRoot', () => hintRoot)(patient, random);
  },
  unknownFlags: changeEntry(true, (entry) => {
    entry[0]! |= 8;
    return 'has flag 8';
  }),
  dirtyUnmapped: (patient, random) => {
    if (patient.superblock.version === 1) {
      const mark = changeEntry(false, (entry) => {
        entry[0] = 2;
        return 'is dirty, and maps nothing';
      });
      return mark(patient, random);
    }
    return dirtyBitOfUnmapped(patient, random);
  },
  mappedTwice: changeEntry(true, (entry, other) => {
    entry.set(other);
    return 'maps what another one maps';
  }),
  beyondOrigin: (patient, random) => {
    const { discardBlockSize, discardNrBlocks, flags } = patient.superblock;
    if ((flags & CACHE_FLAG_CLEAN_SHUTDOWN) === 0 || discardBlockSize * discardNrBlocks === 0) return undefined;
    return changeEntry(true, (entry) => {
      entry[1] = 0xffff_ffff;
      return 'maps a block beyond the origin';
    })(patient, random);
  },
  tooShort: setField('cacheBlocks', ({ superblock }) => superblock.cacheBlocks + 600),
  needsCheck: changeFlags((flags) => flags | CACHE_FLAG_NEEDS_CHECK, 'needs_check is set'),
  unclean: changeFlags((flags) => flags & ~CACHE_FLAG_CLEAN_SHUTDOWN, 'it was not shut down in order'),
  hintWidth: setField('policyHintSize', () => 8),
  feature: setField('incompatFlags', () => 4),
  version: setField('version', () => 3),
};

/** Version 2: sets the dirty bit of a block that maps nothing. */
function dirtyBitOfUnmapped(patient: CachePatient, random: Random): string | undefined {
  const unmapped: number[] = [];
  for (const [index, block] of patient.arrayBlocks('mappingRoot').entries()) {
    const { array } = patient.arrayBlock(block);
    for (let slot = 0; slot < array.nrEntries; slot++) {
      const isValid = (array.words[array.valueAt(slot) >>> 2]! & CACHE_MAPPING_VALID) !== 0;
      if (!isValid) unmapped.push(index * array.maxEntries + slot);
    }
  }
  if (unmapped.length === 0) return undefined;
  const cacheBlock = random.pick(unmapped);
  const bitsPerBlock = 64 * 509;
  const block = patient.arrayBlocks('dirtyRoot')[Math.floor(cacheBlock / bitsPerBlock)];
  if (block === undefined) return undefined;
  const victim = patient.arrayBlock(block);
  const bit = cacheBlock % bitsPerBlock;
  victim.slab.words[(victim.array.valueAt(0) >>> 2) + (bit >>> 5)]! |= 1 << (bit & 31);
  victim.write();
  return `cache block ${cacheBlock} is dirty, and maps nothing`;
}

/** Damages the sound metadata of a cache in place. @returns What was done; `undefined`, and nothing is changed, where the kind does not fit. */
export function damageCache(device: BlockDevice, kind: CacheDamage, random: Random): string | undefined {
  return DOERS[kind](new CachePatient(device), random);
}
