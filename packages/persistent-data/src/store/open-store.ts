import { NoSpaceError, StateError, unixMs } from '../base/index.ts';
import { BlockManager } from '../block-manager/index.ts';
import { KeptVersions } from '../disk-space-map/index.ts';
import { METADATA_BLOCK_SIZE, STORE_VERSION } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { journalBlocksFor, MAX_PROOF_ENTRIES, writeZeros } from './checkpoint.ts';
import { isHidden, StoreCore } from './core.ts';
import type { DiskParts } from './disk.ts';
import { Engine } from './engine.ts';
import type { StoreEvents } from './events.ts';
import { Journal } from './journal.ts';
import { findCheckpoint, isBlank, markBeingMade, voidSlot } from './opening.ts';
import { OverlayDevice } from './overlay-device.ts';
import { RecordingDevice } from './recording-device.ts';
import type { StoreSuperblock } from './superblock.ts';

/** Blocks that a new store has beyond superblocks and journal. */
const FIRST_BLOCKS = 126;
/** Blocks without which no store can work, beyond superblocks and journal. */
const LEAST_BLOCKS = 110;

/** How to open a store, whatever it lies on. */
export interface OpenOptions {
  /** Nothing is written. What the journal holds is replayed in memory. Default: what the device says. */
  readonly readOnly?: boolean;
  /** Makes a store where there is none. `'new'`: there must be none. Default: true, or false with `readOnly`. */
  readonly create?: boolean | 'new';
  /** Memory for cached blocks, in bytes. Default 64 MiB, at least 128 KiB. */
  readonly cacheBytes?: number;
  /** Length of each of the two journal areas, in 4096-byte blocks, at least 4. Default: 64 to 1024, a 64th of the store. */
  readonly journalBlocks?: number;
}

/** Opens the store on a device, or makes one. */
export function openEngine(device: BlockDevice, options: OpenOptions, events: StoreEvents): Engine {
  const readOnly = options.readOnly ?? device.readOnly;
  const create = options.create ?? !readOnly;
  checkOptions(options);
  const isNew = isBlank(device);
  if (isNew && (readOnly || create === false)) throw new StateError('Cannot open store: there is none');
  if (!isNew && create === 'new') throw new StateError('Cannot make a store: there is one already');
  return isNew ? makeStore(device, options, events) : openStore(device, { ...options, readOnly }, events);
}

function checkOptions({ cacheBytes, journalBlocks }: OpenOptions): void {
  if (cacheBytes !== undefined && !(cacheBytes >= 32 * METADATA_BLOCK_SIZE && cacheBytes <= 2 ** 33)) {
    throw new RangeError(`Cannot open store: cacheBytes is ${cacheBytes}, 128 KiB to 8 GiB are possible`);
  }
  if (
    journalBlocks !== undefined &&
    !(Number.isInteger(journalBlocks) && journalBlocks >= 4 && journalBlocks <= 65536)
  ) {
    throw new RangeError(`Cannot open store: journalBlocks is ${journalBlocks}, an integer from 4 to 65536 is wanted`);
  }
}

function partsOf(device: BlockDevice, options: OpenOptions, readOnly: boolean): DiskParts {
  const target = readOnly ? new OverlayDevice(device) : device;
  const recording = new RecordingDevice(target, MAX_PROOF_ENTRIES);
  const cache =
    options.cacheBytes === undefined ? {} : { cacheBlocks: Math.floor(options.cacheBytes / METADATA_BLOCK_SIZE) };
  return {
    device: target,
    recording,
    blockManager: new BlockManager(recording, { ...cache, survivesFullHost: true }),
    kept: new KeptVersions(),
    readOnlyReason: readOnly ? 'it was opened read-only' : undefined,
    journalBlocks: options.journalBlocks,
  };
}

function openStore(device: BlockDevice, options: OpenOptions, events: StoreEvents): Engine {
  const readOnly = options.readOnly ?? false;
  const { superblock, journal, voidSlot: slot } = findCheckpoint(device, readOnly);
  if (!readOnly) {
    // A process that was killed may have left what is not durable: it must be, before anything is built on it. And a newer superblock
    // that was not believed must never be, however much of what it lacks happens to be written later.
    if (slot !== undefined) voidSlot(device, slot);
    else if (superblock.generation === 1) dropMark(device);
    device.flush();
  }
  const parts = partsOf(device, options, readOnly);
  const core = StoreCore.open(parts.blockManager, superblock, parts.kept);
  const engine = new Engine(parts, { core, superblock, journal }, events);
  engine.replay();
  if (!readOnly) dropViews(engine);
  return engine;
}

/**
 * The store is durable now. Were the mark that it is being made to stay until there is a second superblock, damage to the first one would make all of it
 * a store that never came to be, and that is made anew. With the next flush it is gone.
 */
function dropMark(device: BlockDevice): void {
  voidSlot(device, 0);
}

/** Readers' views of a former life are of no use to anyone. */
function dropViews(engine: Engine): void {
  const views = [...engine.core.listSnapshots()].filter(isHidden);
  if (views.length === 0) return;
  engine.begin();
  for (const { id } of views) {
    engine.change('drop a view', (core, log) => {
      log.deleteSnapshot(id);
      core.deleteSnapshot(id);
    });
  }
  engine.commit();
}

function makeStore(device: BlockDevice, options: OpenOptions, events: StoreEvents): Engine {
  const isFixed = device.resize === undefined;
  const least = isFixed ? Math.max(16, Math.min(64, Math.floor(device.nrBlocks / 8))) : 64;
  const journalBlocks = options.journalBlocks ?? Math.max(least, isFixed ? 0 : journalBlocksFor(device.nrBlocks));
  const nrReserved = 2 + 2 * journalBlocks;
  const nrBlocks = Math.max(device.nrBlocks, nrReserved + FIRST_BLOCKS);
  if (isFixed && device.nrBlocks < nrReserved + LEAST_BLOCKS) {
    const text = `Cannot make a store: the device has ${device.nrBlocks} blocks, at least ${nrReserved + LEAST_BLOCKS} are needed`;
    throw new NoSpaceError(text, 'metadata');
  }
  markBeingMade(device);
  if (!isFixed) device.resize!(nrBlocks);
  writeZeros(device, 1, nrReserved);
  const parts = partsOf(device, options, false);
  const core = StoreCore.create(parts.blockManager, nrReserved, parts.kept);
  const superblock: StoreSuperblock = {
    flags: 0,
    version: STORE_VERSION,
    compatFlags: 0,
    compatRoFlags: 0,
    incompatFlags: 0,
    uuid: randomUuid(),
    createdMs: unixMs(),
    generation: 0,
    spaceMapRoot: core.spaceMap.root,
    catalogueRoot: 0,
    namesRoot: 0,
    snapshotsRoot: 0,
    headParent: 0,
    nextCollection: 1,
    nextSnapshot: 1,
    nrProofEntries: 0,
    journalBegins: [2, 2 + journalBlocks],
    journalBlocks,
  };
  const engine = new Engine(parts, { core, superblock, journal: new Journal(0, 2, journalBlocks) }, events);
  engine.checkpoint(false);
  dropMark(device);
  return engine;
}

function randomUuid(): string {
  const { crypto } = globalThis as unknown as { crypto: { getRandomValues(bytes: Uint8Array): Uint8Array } };
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
