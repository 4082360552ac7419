import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nrCommands, replay, timeLimit } from '../replay.ts';
import { ExactLength } from './exact-length.ts';
import type { Command, CommandKind, Profile } from './thin-command.ts';
import { ThinRunner } from './thin-runner.ts';

/** How often each command is drawn. */
const WEIGHTS: Record<CommandKind, number> = {
  create: 6,
  createTaken: 1,
  snapshot: 8,
  delete: 5,
  deleteOpen: 1,
  unknown: 1,
  open: 3,
  close: 3,
  insert: 10,
  insertMany: 12,
  insertShared: 5,
  remove: 8,
  removeAll: 1,
  allocate: 2,
  incData: 2,
  decData: 4,
  commit: 8,
  commitAsync: 6,
  finish: 6,
  rollback: 3,
  reopen: 2,
  crash: 1,
  reserve: 2,
  release: 2,
  growData: 1,
  shrinkData: 2,
  growMetadata: 1,
  shrinkMetadata: 2,
  transactionId: 1,
  needsCheck: 1,
  view: 2,
  closeView: 2,
};

const PROFILES: Record<string, Profile> = {
  tiny: { nrMetadataBlocks: 40, nrDataBlocks: 60, cacheBlocks: 32, nrIds: 6, nrVirtualBlocks: 80 },
  small: { nrMetadataBlocks: 72, nrDataBlocks: 120, cacheBlocks: 32, nrIds: 12, nrVirtualBlocks: 300 },
  medium: { nrMetadataBlocks: 160, nrDataBlocks: 400, cacheBlocks: 64, nrIds: 8, nrVirtualBlocks: 500 },
  deep: {
    nrMetadataBlocks: 220,
    nrDataBlocks: 900,
    cacheBlocks: 48,
    nrIds: 5,
    nrVirtualBlocks: 1800,
    devices: 1,
    mappings: 560,
  },
  wide: { nrMetadataBlocks: 300, nrDataBlocks: 60, cacheBlocks: 40, nrIds: 160, nrVirtualBlocks: 40, devices: 135 },
};

const kinds = Object.entries(WEIGHTS).flatMap(([kind, weight]) =>
  new Array<CommandKind>(weight).fill(kind as CommandKind),
);
const command: fc.Arbitrary<Command> = fc.record({
  kind: fc.constantFrom(...kinds),
  a: fc.nat(1000),
  b: fc.nat(1000),
  c: fc.nat(40),
});
const profile = fc.constantFrom(...Object.keys(PROFILES));

/** 300 seeds of 200 commands; `npm run test:model -- --runs N --commands M` for more. */
const RUNS = 300;
const COMMANDS = nrCommands(200);

test(
  'a thin pool does what plain maps do',
  async () => {
    let played = 0;
    const plays = fc.asyncProperty(profile, new ExactLength(command, COMMANDS), async (name, commands) => {
      const runner = new ThinRunner(PROFILES[name]!);
      for (const each of commands) {
        await runner.run(each);
        played++;
      }
      await runner.end();
    });
    await fc.assert(plays, replay('model', RUNS));
    expect(played).toBeGreaterThan(0);
  },
  timeLimit(240_000),
);
