/** The pools that the kernel is given: how each is written, and what is to be done with it. */

import { execFileSync } from 'node:child_process';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { MemoryDevice } from 'persistent-data/io';
import { dumpThin, findRoots, planRepair, repairedView, ThinImage, ThinRestore } from 'persistent-data/thin';
import { ImageDevice } from '../golden/image-device.ts';
import { restoreThinXml, thinMetadata } from '../golden/library.ts';
import { parseScript } from '../golden/script.ts';
import { Target } from '../golden/target.ts';
import { type WalkedPool, walkPool } from '../golden/walk.ts';
import { peer } from '../peers.ts';
import type { RoundTrip } from './oracle.ts';
import { describePool, poolXml } from './pool-xml.ts';

/** A pool and what the kernel is to do with it. */
export interface OracleCase {
  readonly name: string;
  /** Writes the metadata image; not there as long as the library cannot. */
  readonly write: ((path: string) => void) | undefined;
  /** What the image must hold, when that is known beforehand. */
  readonly pool?: WalkedPool;
  /** Virtual blocks that are looked at; 64 by default. */
  readonly nrBlocks?: number;
  readonly trip: Omit<RoundTrip, 'name' | 'metadata' | 'data' | 'blockSectors'>;
}

/** What is mapped in a metadata image. */
export function readPool(path: string): WalkedPool {
  return walkPool(new Uint8Array(readFileSync(path)));
}

function restoreByDebian(pool: WalkedPool, nrMetadataBlocks: number) {
  const thinRestore = peer('thin_restore');
  if (thinRestore === undefined) return undefined;
  return (path: string) => {
    writeFileSync(path, '');
    truncateSync(path, nrMetadataBlocks * 4096);
    writeFileSync(`${path}.xml`, poolXml(pool));
    execFileSync(thinRestore, ['-i', `${path}.xml`, '-o', path], { stdio: 'pipe' });
  };
}

function restoreByUs(pool: WalkedPool, nrMetadataBlocks: number) {
  if (restoreThinXml === undefined) return undefined;
  return (path: string) => {
    const device = new MemoryDevice({ nrBlocks: nrMetadataBlocks });
    restoreThinXml?.(device, poolXml(pool));
    writeFileSync(path, device.toBytes());
  };
}

/** Makes a pool with our metadata in the place of the kernel's: `script` is what a guest would run. */
function createByUs(script: string, nrMetadataBlocks: number) {
  if (thinMetadata === undefined) return undefined;
  const factory = thinMetadata;
  return (path: string) => {
    const device = new ImageDevice(nrMetadataBlocks);
    const target = new Target(device, factory);
    for (const command of parseScript(script).flatMap((step) => step.commands)) target.run(command);
    writeFileSync(path, device.bytes);
  };
}

const SHARED = describePool({
  ...{ nrDataBlocks: 512, time: 1, transactionId: 2 },
  devices: [
    {
      ...{ id: 1, snapshottedTime: 1 },
      runs: [
        [0, 100, 10, 0],
        [20, 7, 1, 1],
        [31, 5, 1, 0],
      ],
    },
    {
      ...{ id: 9, snapshottedTime: 1 },
      runs: [
        [0, 100, 3, 0],
        [3, 300, 1, 1],
      ],
    },
  ],
});

const SHARED_TRIP: OracleCase['trip'] = {
  devices: [
    { id: 1, nrBlocks: 64 },
    { id: 9, nrBlocks: 32 },
  ],
  writes: [
    { id: 1, range: '0-3' },
    { id: 1, range: '15' },
    { id: 9, range: '1' },
    { id: 9, range: '25-30' },
  ],
  discards: [{ id: 1, begin: 20, count: 2 }],
  after: ['create_snap 10 9', 'delete 1', 'set_transaction_id 2 3'],
};

/** 300 devices, so that the trees of devices and of details have several levels; two mappings each. */
const MANY = describePool({
  nrDataBlocks: 1024,
  devices: Array.from({ length: 300 }, (_, i) => ({
    id: i * 3,
    runs: [
      [0, i, 1, 0],
      [7, 300 + i, 1, 0],
    ],
  })),
});

/** 66000 mappings, every second virtual block: a tree of three levels. */
const DEEP = describePool({
  nrDataBlocks: 70000,
  devices: [{ id: 0, runs: Array.from({ length: 66000 }, (_, i) => [2 * i, 69999 - i, 1, 0] as const) }],
});

/** 1 MiB blocks; a snapshot that shares everything. */
const LARGE_BLOCKS = describePool({
  ...{ nrDataBlocks: 64, time: 1, blockSectors: 2048 },
  devices: [0, 1].map((id) => ({ id, snapshottedTime: 1, runs: [[0, 10, 6, 0]] })),
});

/** What a guest runs: devices, a snapshot, a snapshot of it, sharing broken, discards, a metadata snapshot, a growth. */
const CREATED = `
dm pool 0 32768 thin-pool /dev/vda /dev/vdb 128 0 1 skip_block_zeroing
msg pool create_thin 0
msg pool create_thin 16777215
dm thin0 0 8192 thin /dev/mapper/pool 0
dm thin16777215 0 8192 thin /dev/mapper/pool 16777215
blockio write /dev/mapper/thin0 - 65536 512 shuffle:5:0-49
blockio write /dev/mapper/thin16777215 - 65536 512 0-60+3
flush 0
msg pool create_snap 1 0
dm thin1 0 8192 thin /dev/mapper/pool 1
blockio write /dev/mapper/thin0 - 65536 512 3 9 27
flush 0
msg pool create_snap 2 1
blockio write /dev/mapper/thin1 - 65536 512 4 8 61
blkdiscard -o 1310720 -l 1310720 /dev/mapper/thin0
flush 0
msg pool reserve_metadata_snap
run dmsetup suspend pool
run dmsetup reload pool --table '0 65536 thin-pool /dev/vda /dev/vdb 128 0 1 skip_block_zeroing'
run dmsetup resume pool
blockio write /dev/mapper/thin0 - 65536 512 20-25
flush 0
msg pool set_transaction_id 0 7
for t in $(dmsetup ls --target thin | cut -f 1); do dmsetup remove $t; done; dmsetup remove pool
`;

const CREATED_TRIP: OracleCase['trip'] = {
  before: ['release_metadata_snap', 'create_snap 3 2'],
  devices: [0, 1, 2, 3, 16777215].map((id) => ({ id, nrBlocks: 64 })),
  writes: [
    { id: 0, range: '0-5' },
    { id: 2, range: '30-33' },
    { id: 3, range: 'shuffle:1:0-63' },
    { id: 16777215, range: '3' },
  ],
  discards: [{ id: 1, begin: 0, count: 30 }],
  after: ['delete 2', 'create_snap 4 3', 'create_thin 5', 'set_transaction_id 7 8'],
};

/** What is done to a pool, before we repair it. */
const DAMAGES: Readonly<Record<string, (image: ThinImage) => readonly number[]>> = {
  'lost-superblock': () => [0],
  // Both maps: their roots are in the superblock, and nothing of them is used.
  'lost-space-maps': ({ superblock }) => [
    superblock.dataSpaceMapRoot.bitmapRoot,
    superblock.metadataSpaceMapRoot.bitmapRoot,
  ],
  'lost-device-list': ({ mappingRoot }) => [mappingRoot],
  'lost-details': ({ detailsRoot }) => [detailsRoot],
  'lost-device': (image) => [image.roots().get(0) ?? 0],
};

/** The pool of {@link CREATED} with blocks of zeros in it, repaired onto another device. */
function repairByUs(damage: (image: ThinImage) => readonly number[]) {
  const create = createByUs(CREATED, 1024);
  if (create === undefined) return undefined;
  return (path: string) => {
    create(path);
    const damaged = MemoryDevice.from(new Uint8Array(readFileSync(path)));
    for (const block of damage(new ThinImage(damaged))) damaged.write(block, [new Uint8Array(4096)]);
    const plan = planRepair(findRoots(damaged), {
      overrides: { dataBlockSizeSectors: 128, nrDataBlocks: 512, transactionId: 7 },
    });
    const repaired = new MemoryDevice({ nrBlocks: 1024 });
    dumpThin(repairedView(damaged, plan), new ThinRestore(repaired));
    writeFileSync(path, repaired.toBytes());
  };
}

const REPAIRED_TRIP: OracleCase['trip'] = {
  before: ['create_snap 3 2'],
  devices: [0, 1, 2, 3, 16777215].map((id) => ({ id, nrBlocks: 64 })),
  writes: [
    { id: 0, range: '0-5' },
    { id: 3, range: 'shuffle:1:0-63' },
    { id: 16777215, range: '3' },
  ],
  discards: [{ id: 1, begin: 0, count: 30 }],
  after: ['delete 2', 'create_snap 4 3', 'create_thin 5', 'set_transaction_id 7 8'],
};

/** All cases. Those that nobody can write here and now have no `write`. */
export const CASES: readonly OracleCase[] = [
  { name: 'restored-by-debian', pool: SHARED, write: restoreByDebian(SHARED, 1024), trip: SHARED_TRIP },
  { name: 'restored', pool: SHARED, write: restoreByUs(SHARED, 1024), trip: SHARED_TRIP },
  {
    name: 'restored-many-devices',
    pool: MANY,
    write: restoreByUs(MANY, 1024),
    trip: {
      devices: [0, 450, 897].map((id) => ({ id, nrBlocks: 16 })),
      writes: [{ id: 450, range: '0-9' }],
      after: ['delete 3', 'create_thin 1', 'create_snap 2 897'],
    },
  },
  {
    name: 'restored-deep',
    pool: DEEP,
    write: restoreByUs(DEEP, 2048),
    trip: {
      devices: [{ id: 0, nrBlocks: 64 }],
      writes: [{ id: 0, range: 'shuffle:2:0-40' }],
      discards: [{ id: 0, begin: 50, count: 9 }],
      after: ['create_snap 1 0'],
    },
  },
  {
    name: 'restored-large-blocks',
    pool: LARGE_BLOCKS,
    write: restoreByUs(LARGE_BLOCKS, 512),
    nrBlocks: 8,
    trip: {
      devices: [0, 1].map((id) => ({ id, nrBlocks: 8 })),
      writes: [{ id: 1, range: '0-6+6' }],
      after: ['delete 0'],
    },
  },
  { name: 'created', write: createByUs(CREATED, 1024), trip: CREATED_TRIP },
  ...Object.entries(DAMAGES).map(
    ([name, damage]): OracleCase => ({
      name: `repaired-${name}`,
      write: repairByUs(damage),
      trip: REPAIRED_TRIP,
    }),
  ),
];
