/** What went wrong in the comparison itself, each with its story: what happened, why, what prevents it now. */

import { NoSpaceError } from 'persistent-data/base';
import { expect, test } from 'vitest';
import type { Command, CommandKind } from '../model/thin-command.ts';
import { ThinRunner } from '../model/thin-runner.ts';
import { ThinFixture } from '../structures/thin-fixture.ts';

const command = (kind: CommandKind, c = 0): Command => ({ kind, a: 0, b: 0, c });

test('a metadata snapshot that is refused has not committed the growth before it, and the model knows', async () => {
  // What happened: with seed 1 the model wanted 50 metadata blocks after a rollback, the pool had 25.
  // Why: the model took the disk's state for the new one, as it compared all but the sizes; the snapshot had been refused before its commit.
  // Now: the sizes on the disk are compared as well.
  const runner = new ThinRunner({
    nrMetadataBlocks: 40,
    nrDataBlocks: 60,
    cacheBlocks: 32,
    nrIds: 6,
    nrVirtualBlocks: 80,
  });
  const create = command('create');
  const full = [command('delete'), command('insertMany'), create, command('commitAsync')];
  const grown = [command('growMetadata', 25), command('reserve'), command('rollback')];
  const begin = [command('shrinkMetadata', 15), create, create, create, create, create, command('reserve'), create];
  for (const each of [...begin, ...full, ...grown]) await runner.run(each);
  await runner.end();
});

test('a metadata snapshot that lacks space is refused before it commits', () => {
  const fixture = new ThinFixture({ nrMetadataBlocks: 24 });
  const { pool } = fixture;
  pool.createThin(1);
  for (let id = 2; pool.nrFreeMetadata > 0; id++) pool.createThin(id);
  const devices = pool.devices();
  fixture.device.take();
  expect(() => pool.reserveMetadataSnapshot()).toThrow(NoSpaceError);
  expect(fixture.device.takeWrites()).toEqual([]);
  expect(pool.devices()).toEqual(devices);
  fixture.check();
  pool.rollback();
  expect(pool.devices()).toEqual([]);
});
