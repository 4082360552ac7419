import { describe, expect, test } from 'vitest';
import { replayPool, scriptedPool } from './replay.ts';
import { expandRange, parseCommand, parseScript, ScriptError, stepsOfRecords } from './script.ts';

describe('expandRange()', () => {
  test.each([
    ['7', [7]],
    ['3-6', [3, 4, 5, 6]],
    ['0-400+100', [0, 100, 200, 300, 400]],
    ['0-7+3', [0, 3, 6]],
  ])('%s', (text, list) => {
    expect(expandRange(text)).toEqual(list);
  });

  test('shuffles as blockio does', () => {
    // The order that test/oracle/guest/blockio, in Perl, gives.
    const list = expandRange('shuffle:21:11-69');
    expect([...list].sort((a, b) => a - b)).toEqual(expandRange('11-69'));
    expect(list.slice(0, 6)).toEqual([57, 29, 52, 37, 56, 20]);
  });

  test.each(['', 'x', '1-', 'shuffle:1'])('refuses %o', (text) => {
    expect(() => expandRange(text)).toThrow(ScriptError);
  });
});

describe('parseCommand()', () => {
  test('a pool with its features', () => {
    const table = '0 131072 thin-pool /dev/vda /dev/vdb 128 0 2 skip_block_zeroing no_discard_passdown';
    const wanted = {
      do: 'createPool',
      name: 'pool',
      table: {
        lengthSectors: 131072,
        metadataDevice: '/dev/vda',
        blockSectors: 128,
        features: ['skip_block_zeroing', 'no_discard_passdown'],
      },
    };
    expect(parseCommand(`dm pool ${table}`)).toEqual([wanted]);
    expect(parseCommand(`dmsetup create pool --table '${table}'`)).toEqual([wanted]);
  });

  test('a thin device, as a script and as a record has it', () => {
    const wanted = { do: 'createThin', name: 'thin7', id: 7, lengthSectors: 2048 };
    expect(parseCommand('dm thin7 0 2048 thin /dev/mapper/pool 7')).toEqual([wanted]);
    expect(parseCommand("dmsetup create thin7 --table '0 2048 thin /dev/mapper/pool 7'")).toEqual([wanted]);
  });

  test.each([
    ['msg pool create_snap 2 0 >/dev/null', { do: 'message', name: 'pool', words: ['create_snap', '2', '0'] }],
    ['dmsetup message pool 0 delete 5', { do: 'message', name: 'pool', words: ['delete', '5'] }],
    ['run dmsetup suspend thin0', { do: 'suspend', name: 'thin0' }],
    ['dmsetup status', { do: 'status', name: '' }],
    ['dmsetup status pool', { do: 'status', name: 'pool' }],
    ['flush 3', { do: 'flush', name: 'thin3' }],
    ['flush thin3', { do: 'flush', name: 'thin3' }],
    [
      'blkdiscard -o 65536 -l 131072 /dev/mapper/thin1',
      { do: 'discard', name: 'thin1', offsetBytes: 65536, lengthBytes: 131072 },
    ],
    ['blkdiscard /dev/mapper/thin1', { do: 'discard', name: 'thin1', offsetBytes: 0 }],
    [
      'blockio write /dev/mapper/thin1 thin-1 65536 512 0-1 9',
      { do: 'write', name: 'thin1', offsetBytes: [0, 65536, 589824], lengthBytes: 512 },
    ],
  ])('%s', (line, wanted) => {
    expect(parseCommand(line)).toEqual([wanted]);
  });

  test.each(['dmsetup status --noflush pool', 'run sleep 1', 'cat /proc/meminfo'])('%s changes nothing', (line) => {
    expect(parseCommand(line)).toEqual([]);
  });

  test.each(['reboot', 'dmsetup table', 'dm x 0 1 crypt a', 'blockio format /dev/x'])('refuses %s', (line) => {
    expect(() => parseCommand(line)).toThrow(ScriptError);
  });
});

describe('steps', () => {
  test('of a guest script', () => {
    const text = '. /lib/oracle.sh\nSM=/dev/vda\nstep() { :; }\nflush 0\nstep a\nflush 1; flush 2\nstep b\nflush 3\n';
    expect(parseScript(text).map((step) => [step.name, step.commands.length])).toEqual([
      ['a', 1],
      ['b', 2],
      ['end', 1],
    ]);
  });

  test('of records that go on from one another', () => {
    const records = [
      { name: 'a', text: '@@begin\n+ flush thin0\n0 units\n' },
      { name: 'b', text: '@@begin\n+ flush thin0\n0 units\n+ flush thin1\n' },
    ];
    expect(stepsOfRecords(records).map((step) => step.commands)).toEqual([
      [{ do: 'flush', name: 'thin0' }],
      [{ do: 'flush', name: 'thin1' }],
    ]);
    expect(() => stepsOfRecords([...records].reverse())).toThrow(ScriptError);
  });

  test('of all golden pools have their images', () => {
    const pools = [scriptedPool(), ...['coll', 'order', 'tiny', 'wide'].map(replayPool)];
    expect(pools.map((pool) => pool.steps.length)).toEqual([19, 6, 9, 14, 14]);
    for (const pool of pools) {
      for (const step of pool.steps) expect(pool.image(step)?.bytes().length ?? 4096).toBeGreaterThanOrEqual(4096);
    }
  });
});
