/** Bugs that the campaigns found, each with its story: what happened, why, what prevents it now. */

import { CorruptionError, NoSpaceError } from 'persistent-data/base';
import { blockChecksum, SALT, STORE_SUPERBLOCK, THIN_SUPERBLOCK } from 'persistent-data/format';
import { BLOCK_SIZE, MemoryDevice } from 'persistent-data/io';
import { Store, u32 } from 'persistent-data/store';
import {
  appendRecord,
  auditThin,
  describePool,
  makeStore,
  RawImage,
  StorePatient,
  ThinPlayer,
  type ThinScript,
} from 'persistent-data/testing';
import { checkThin, dumpThinXml, restoreThinXml, ThinMetadata } from 'persistent-data/thin';
import { expect, test, vi } from 'vitest';
import { describeStore } from './store-contents.ts';
import { StorePlayer } from './store-player.ts';
import type { StoreScript } from './store-script.ts';

/** Plays a script on a pool of 128 metadata blocks and says what is wrong with what it commits. */
async function problemsAfter(script: ThinScript): Promise<readonly string[]> {
  const device = new MemoryDevice({ nrBlocks: 128 });
  const player = ThinPlayer.format(device, { dataBlockSizeSectors: 128, nrDataBlocks: 500 });
  await player.playAll([...script, ['commit']]);
  const { problems, pool } = auditThin(device);
  expect(pool && describePool(pool)).toBe(player.states.at(-1));
  return problems;
}

test('a metadata block is not handed out twice when the search comes round to it before it is counted', async () => {
  // On a nearly full device two nodes were given the same block: "block 3 is a btree_node block".
  // A block chosen within another change is counted later; the search from the end wrapped around and found it free again.
  // The search skips blocks whose increment is pending or under way.
  const script: ThinScript = [
    ['shrinkMetadata', 14],
    ['create', 0],
    ['hold'],
    ['commitAsync'],
    ['release'],
    ['commitAsync'],
    ['create', 3],
  ];
  expect(await problemsAfter(script)).toEqual([]);
});

test('a rollback does not take a new device for the old one of the same id', async () => {
  // Delete a device, snapshot another one to its id, roll back, write: the commit gave it the snapshot's creation time.
  // The rollback reloaded what a device may change, and kept the rest of the device that it had thrown away.
  // It compares what no device changes, and forgets the new one.
  const script: ThinScript = [
    ['create', 0],
    ['create', 1],
    ['commit'],
    ['delete', 1],
    ['snapshot', 1, 0],
    ['rollback'],
    ['write', 1, 105],
  ];
  expect(await problemsAfter(script)).toEqual([]);
});

test.each([
  ['an id of a device is beyond 24 bits', 'devices'],
  ['a root lies beyond the device', 'root'],
])('%s: a typed error', async (_, what) => {
  // A hostile id or root of 2^53 and more was a RangeError out of the middle of a listing, or of a commit.
  // Numbers from the disk went where the arguments of callers are checked.
  // Roots are compared with the device when a pool is opened, and ids where they are listed.
  const device = new MemoryDevice({ nrBlocks: 64 });
  const player = ThinPlayer.format(device, { dataBlockSizeSectors: 128, nrDataBlocks: 500 });
  await player.playAll([['create', 0], ['commit']]);
  const image = new RawImage(device);
  const [block] = auditThin(device).nodes.get('devices') ?? [];
  const changed = what === 'devices' ? (block as number) : 0;
  image.words[image.load(changed) + (what === 'devices' ? 9 : 81)] = 0x7fff_ffff;
  image.seal(changed, what === 'devices' ? 'node' : 'superblock');
  image.store(changed, device);
  expect(() => ThinMetadata.open(device).devices()).toThrow(CorruptionError);
});

test('a store replays what follows on a snapshot in the same transaction', async () => {
  // A commit that had been acknowledged could not be opened: "it changes a collection without naming it".
  // The redo log took the collection of the operation before for known; the replay forgets it after a snapshot or a new collection.
  // The log forgets it too.
  const device = new MemoryDevice({ nrBlocks: 0 });
  const player = new StorePlayer(device, { journalBlocks: 4 });
  player.open();
  const steps: StoreScript = [
    ['set', 0, 1, 1, 5],
    ['begin'],
    ['set', 0, 2, 1, 5],
    ['snapshot', 1],
    ['set', 0, 3, 1, 5],
    ['set', 1, 3, 1, 5],
    ['set', 0, 4, 1, 5],
    ['commit'],
  ];
  for (const step of steps) await player.play(step);
  expect(describeStore(Store.open(device.fork()))).toBe(player.states.at(-1));
});

test.each([
  ['mappedBlocks', 'details'],
  ['nrBlocks', 'superblock'],
])('%s beyond 2^53: a dump throws a typed error', async (_, what) => {
  // A hostile number of blocks was a RangeError from the writer of the XML.
  // It was read rounded, and shown as it was.
  // Details and superblocks with such numbers are refused where they are read.
  const device = new MemoryDevice({ nrBlocks: 64 });
  const player = ThinPlayer.format(device, { dataBlockSizeSectors: 128, nrDataBlocks: 500 });
  await player.playAll([['create', 0], ['commit']]);
  const image = new RawImage(device);
  const [block = 0] = what === 'details' ? (auditThin(device).nodes.get('details') ?? []) : [0];
  const maxEntries = image.u32(image.load(block), 5);
  const word = what === 'details' ? 8 + 2 * maxEntries + 1 : 17;
  image.words[image.load(block) + word] = 0x7fff_ffff;
  image.seal(block, what === 'details' ? 'node' : 'superblock');
  image.store(block, device);
  expect(() => dumpThinXml(device)).toThrow(CorruptionError);
});

test('a restore of more data blocks than the device can count ends at once', () => {
  // A dump of a hostile superblock, restored, ran for hours: it said that there are 2^39 data blocks and more.
  // Tables were made as large as the text said, and gone through, before a block was missed.
  // The bitmaps that are wanted are compared with the device first.
  const xml = `<superblock uuid="" time="0" transaction="0" version="2" data_block_size="128" nr_data_blocks="${2 ** 39}">\n</superblock>\n`;
  expect(() => restoreThinXml(new MemoryDevice({ nrBlocks: 300 }), xml)).toThrow(NoSpaceError);
});

test('a store that cannot be tidied at its end says why', async () => {
  // Closing a hostile store was an assertion: "the mark is in the running transaction".
  // The file's end could not be given back, and the rollback went to where an operation before the checkpoint had begun.
  // A checkpoint outside of a transaction sets the mark anew.
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device, { journalBlocks: 4 });
  store.tree('t', { value: u32 }).set(1, 1);
  vi.spyOn(store.engine.space, 'cut').mockImplementation(() => {
    throw new CorruptionError('Cannot count');
  });
  expect(() => store.close()).toThrow(CorruptionError);
});

test.each([
  ['is empty', (at: number, view: DataView) => view.setUint16(at, 0, true)],
  ['is no UTF-8', (at: number, view: DataView) => view.setUint8(at + 4, 0xff)],
])('a name in a store that %s: a typed error', (_, spoil) => {
  // A hostile name was listed, and was a RangeError when it came back as an argument.
  // Records of names were believed as soon as their lengths fitted.
  // They are read strictly.
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device, { journalBlocks: 4 });
  store.tree('a name', { value: u32 }).set(1, 1);
  store.close();
  const bytes = device.toBytes();
  const file = Buffer.from(bytes.buffer);
  // It stands in the journal too, and in nodes that are not in use any more.
  for (let text = file.indexOf('a name'); text >= 0; text = file.indexOf('a name', text + 1)) {
    const block = Math.floor(text / BLOCK_SIZE);
    const words = new Uint32Array(bytes.buffer, block * BLOCK_SIZE, BLOCK_SIZE / 4);
    if (words[0] !== blockChecksum(words, 0, SALT.btreeNode)) continue;
    spoil(text - 4, new DataView(bytes.buffer));
    words[0] = blockChecksum(words, 0, SALT.btreeNode);
  }
  expect(() => Store.open(MemoryDevice.from(bytes)).collections()).toThrow(CorruptionError);
});

test('an id of a collection beyond 32 bits: a typed error', () => {
  // A hostile id was a RangeError from the look-up that a list of collections does with it.
  // Keys of the tree of names were taken for ids, rounded.
  // They are refused where they are read.
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device, { journalBlocks: 4 });
  store.tree('a name', { value: u32 }).set(1, 1);
  store.close();
  const bytes = device.toBytes();
  for (let block = 0; block < device.nrBlocks; block += 1) {
    const words = new Uint32Array(bytes.buffer, block * BLOCK_SIZE, BLOCK_SIZE / 4);
    // A leaf with one value of the size of a record of a name.
    if (words[0] !== blockChecksum(words, 0, SALT.btreeNode) || words[4] !== 1 || words[6] !== 1344) continue;
    words[9] = 0x7fff_ffff;
    words[0] = blockChecksum(words, 0, SALT.btreeNode);
  }
  expect(() => Store.open(MemoryDevice.from(bytes)).collections()).toThrow(CorruptionError);
});

test('a virtual block beyond 2^53 is a finding', () => {
  // A check found nothing in a pool of which a dump said "virtual blocks below 2^53 are supported".
  // The order of keys was all that was asked of them.
  // What no device can have is a finding, in the leaf that has it.
  const device = new MemoryDevice({ nrBlocks: 64 });
  const player = ThinPlayer.format(device, { dataBlockSizeSectors: 128, nrDataBlocks: 500 });
  player.play(['create', 0]);
  player.play(['write', 0, 1]);
  player.play(['commit']);
  const image = new RawImage(device);
  const [leaf = 0] = auditThin(device).nodes.get('mappings') ?? [];
  // The upper half of the only key.
  image.words[image.load(leaf) + 9] = 0x7fff_ffff;
  image.seal(leaf, 'node');
  image.store(leaf, device);
  expect(() => dumpThinXml(device)).toThrow(CorruptionError);
  expect([...checkThin(device)][0]).toMatchObject({ code: 'thin.virtual-block', block: leaf });
});

test.each([
  ['lists of different devices', 'thin.ids'],
  ['another number of mappings', 'thin.mapped-blocks'],
])('%s in the metadata snapshot alone: a finding', (_, code) => {
  // A check found nothing in a snapshot whose details were those of other devices than its list; 1.1.0 did.
  // Of the nodes that a snapshot shares with the pool its walk sees nothing, so the pool's devices were taken for its own.
  // Its two lists are read in full and compared.
  const device = new MemoryDevice({ nrBlocks: 64 });
  const player = ThinPlayer.format(device, { dataBlockSizeSectors: 128, nrDataBlocks: 500 });
  for (const step of [['create', 0], ['write', 0, 1], ['hold']] satisfies ThinScript) player.play(step);
  expect([...checkThin(device)]).toEqual([]);
  const image = new RawImage(device);
  const held = image.u64(image.load(0), THIN_SUPERBLOCK.word('heldRoot'));
  const root = image.load(held) + THIN_SUPERBLOCK.word('deviceDetailsRoot');
  // Details of its own, in a free block: another key, or another number of mapped blocks.
  const [shared, own] = [image.load(image.words[root] as number), image.load(60)];
  image.words.copyWithin(own, shared, shared + 1024);
  image.words[own + (code === 'thin.ids' ? 8 : 8 + 2 * image.u32(own, 5))] = 40;
  image.seal(60, 'node');
  image.words[root] = 60;
  image.seal(held, 'superblock');
  for (const block of [60, held]) image.store(block, device);
  expect([...checkThin(device)].map((finding) => finding.code)).toContain(code);
});

test('a collection of a store that has no name, or that is nothing but a name, is a finding', () => {
  // A check found nothing in a store whose tree of names had become empty: all collections were gone from the list.
  // Catalogue and names were each checked, and not compared.
  // Their ids are compared in each state.
  const sound = makeStore({
    collections: [{ name: 'a name', kind: 'tree', length: 1 }],
    options: { journalBlocks: 4 },
  });
  const patient = new StorePatient(sound);
  const root = patient.image.u64(patient.image.load(patient.superblock), STORE_SUPERBLOCK.word('namesRoot'));
  patient.image.words[patient.image.load(root) + 4] = 0;
  patient.image.seal(root, 'node');
  patient.image.store(root, sound);
  expect([...Store.open(sound, { readOnly: true }).check()]).toMatchObject([{ code: 'store.ids', block: root }]);
});

test('damage to the first superblock of a young store is no blank device', () => {
  // A store with commits and one checkpoint lost the block of its superblock: opening it made a new, empty store over it, without a word.
  // The mark "being made" stayed in block 0 until the second checkpoint, and with it a superblock that is not believable was one that never arrived.
  // The mark is overwritten once the first checkpoint is durable.
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device, { journalBlocks: 4 });
  store.tree('t', { value: u32 }).set(1, 1);
  expect(store.engine.superblock.generation).toBe(1);
  const image = new RawImage(device);
  const wrong = image.bytesOf(1);
  wrong[100] = (wrong[100] as number) ^ 1;
  device.write(1, [wrong]);
  expect(() => Store.open(device)).toThrow(CorruptionError);
  expect(() => Store.open(device, { create: 'new' })).toThrow(/there is one already/);
  wrong[100] = (wrong[100] as number) ^ 1;
  device.write(1, [wrong]);
  expect(Store.open(device).tree('t', { value: u32 }).get(1)).toBe(1);
});

test.each([
  ['makes an array of 2^31 elements', [1, 0, 3, 7, 0x8000_0000, 0, 1, 0], /longer by more than 4096 blocks/],
  ['is cut within an operation', [1, 0, 1, 2], /ends within an operation/],
  ['removes below 2^24 - 1 keys', [1, 0, 1, 0xffff_ff04], /ends within an operation/],
] as const)('a journal that %s: a typed error, at once', (_, operations, message) => {
  // Records with the right checksums made a file of kilobytes gigabytes long, took minutes, or ended in a TypeError.
  // A length was believed up to what a store can have, and operations were read beyond their record's end.
  // What a journal makes longer has a bound, beyond which a commit is a checkpoint; nothing is read beyond a record.
  const kinds = ['tree', 'bitset', 'array'] as const;
  const collections = kinds.map((kind) => ({ name: kind, kind, length: 10 }));
  const device = makeStore({ collections, nrInJournal: 3, options: { journalBlocks: 4 } });
  expect(Store.open(device.fork(), { readOnly: true }).collections()).toHaveLength(3);
  appendRecord(device, Uint32Array.from(operations));
  expect(() => Store.open(device, { readOnly: true })).toThrow(message);
  expect(() => Store.open(device)).toThrow(CorruptionError);
});
