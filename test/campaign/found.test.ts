/** Bugs that the campaigns found, each with its story: what happened, why, what prevents it now. */

import { CorruptionError } from 'persistent-data/base';
import { MemoryDevice } from 'persistent-data/io';
import { auditThin, describePool, RawImage, ThinPlayer, type ThinScript } from 'persistent-data/testing';
import { ThinMetadata } from 'persistent-data/thin';
import { expect, test } from 'vitest';

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
