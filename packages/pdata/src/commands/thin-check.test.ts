import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { makePool, SNAPSHOT_POOL } from '../../../../test/structures/pools.ts';
import { SickPool } from '../../../../test/structures/sick-pool.ts';
import { parseArguments } from '../arguments.ts';
import { COMMANDS } from './table.ts';
import { run } from './thin-check.ts';

const said = vi.hoisted(() => ({ out: '', err: '' }));
vi.mock('../standard-output.ts', () => ({
  writeStdout: (content: string) => {
    said.out += content;
  },
}));
vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
  said.err += String(text);
  return true;
});
afterEach(() => Object.assign(said, { out: '', err: '' }));

const folder = mkdtempSync(join(tmpdir(), 'pdata-check-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'metadata');
const spec = COMMANDS.find(({ name }) => name === 'thin_check')!;

function check(damage: (pool: SickPool) => void, ...argv: string[]): number {
  const pool = new SickPool(makePool(SNAPSHOT_POOL));
  damage(pool);
  writeFileSync(file, pool.device.toBytes());
  return run(parseArguments(spec, [...argv, file]));
}

const nothing = (): void => undefined;
const leak = (pool: SickPool): void => {
  for (const block of [9000, 9001, 9005]) pool.setCount('data', block, 1);
};
const spoilLeaf = (pool: SickPool): void => pool.spoil(pool.children(pool.deviceRoot(0))[1]!);
const setFlag = (pool: SickPool): void => pool.setSuperblock((view) => view.setUint32(4, 1, true));

const HEADER = /^TRANSACTION_ID=0\nMETADATA_FREE_BLOCKS=\d+\n$/;

test('a sound pool', () => {
  expect(check(nothing)).toBe(0);
  expect(said.out).toMatch(HEADER);
  expect(said.err).toBe(
    'Checking thin metadata\ndevice details tree\nmapping tree\ndata space map\nmetadata space map\n',
  );
});

test.each([
  ['--super-block-only', ''],
  ['--skip-mappings', 'Checking thin metadata\ndevice details tree\n'],
])('%s', (option, text) => {
  expect(check(spoilLeaf, option)).toBe(0);
  expect(said.out).toMatch(HEADER);
  expect(said.err).toBe(text);
});

test('-q says nothing', () => {
  expect([check(nothing, '-q'), check(leak, '-q'), check(spoilLeaf, '-q')]).toEqual([0, 64, 64]);
  expect(said).toEqual({ out: '', err: '' });
});

describe('leaks', () => {
  test('fail a check, unless they are to be ignored', () => {
    expect(check(leak)).toBe(64);
    expect(said.err).toContain('3 data blocks have leaked.\n');
    expect(said.err).toContain('data space map contains leaks\nperhaps you wanted to run with --auto-repair\n');
    expect(check(leak, '--ignore-non-fatal-errors')).toBe(0);
  });

  test.each(['--auto-repair', '--clear-needs-check-flag'])('are repaired by %s', (option) => {
    expect(check(leak, option)).toBe(0);
    expect(said.err).toContain('Repairing data leaks.\n');
    expect(run(parseArguments(spec, [file]))).toBe(0);
  });
});

test('the flag is cleared when all is well, and only then', () => {
  expect(check(setFlag, '--clear-needs-check-flag')).toBe(0);
  expect(said.err).toContain('Cleared needs_check flag\n');
  expect(readFileSync(file).readUInt32LE(4)).toBe(0);
  const both = (pool: SickPool): void => {
    spoilLeaf(pool);
    setFlag(pool);
  };
  expect(check(both, '--clear-needs-check-flag')).toBe(64);
  expect(readFileSync(file).readUInt32LE(4)).toBe(1);
  expect(check(both, '--skip-mappings', '--clear-needs-check-flag')).toBe(0);
  expect(readFileSync(file).readUInt32LE(4)).toBe(0);
});

test('damage ends with a grade and what would help', () => {
  const spoilSpaceMap = (pool: SickPool): void => pool.spoil(pool.bitmap('data'));
  expect(check(spoilSpaceMap)).toBe(64);
  expect(said.err).toMatch(
    /Fatal errors in data space map\ngrade: repairable\nwhat helps: thin_repair -i .* -o OUTPUT\n$/,
  );
});

test('other roots can be looked at', () => {
  const pool = new SickPool(makePool(SNAPSHOT_POOL));
  const root = pool.mappingRoot;
  const lost = (other: SickPool): void => other.setSuperblock((view) => view.setBigUint64(320, 999n, true));
  expect(check(lost)).toBe(64);
  expect(check(lost, '--override-mapping-root', String(root))).toBe(0);
});

describe('--json', () => {
  const json = () => JSON.parse(said.out) as Record<string, unknown>;

  test('of a sound pool', () => {
    expect(check(nothing, '--json')).toBe(0);
    expect(said.err).toBe('');
    expect(json()).toMatchObject({ version: 1, verdict: 'clean', transactionId: 0, needsCheck: false, findings: [] });
    expect(json()).toMatchObject({ grade: 'clean', freeMetadataBlocks: expect.any(Number) });
  });

  test('of leaks, before and while they are repaired', () => {
    expect(check(leak, '--json')).toBe(64);
    const ranges = [
      { begin: 9000, end: 9002 },
      { begin: 9005, end: 9006 },
    ];
    expect(json().findings).toContainEqual(
      expect.objectContaining({ severity: 'leak', code: 'space-map.leak', space: 'data', count: 3, ranges }),
    );
    said.out = '';
    expect(check(leak, '--json', '--auto-repair')).toBe(0);
    expect(json()).toMatchObject({ verdict: 'leaks', repaired: { nrDataLeaks: 3, clearedNeedsCheck: false } });
  });

  test('of damage: the device, the ranges, and all phases', () => {
    const damage = (pool: SickPool): void => {
      spoilLeaf(pool);
      pool.setCount('data', 0, 0);
    };
    expect(check(damage, '--json')).toBe(64);
    const findings = json().findings as Record<string, unknown>[];
    expect(json()).toMatchObject({ verdict: 'damaged', grade: expect.stringMatching(/repairable|data at risk/) });
    expect(findings[0]).toMatchObject({ severity: 'fatal', device: 1, ranges: [{ begin: expect.any(Number) }] });
    expect(findings.map(({ code }) => code)).toContain('space-map.count');
  });

  test('of something that is no pool', () => {
    expect(check((pool) => pool.spoil(0, 100), '--json')).toBe(64);
    expect(json()).toMatchObject({ verdict: 'damaged', findings: [{ code: 'thin.superblock', block: 0 }] });
    expect(json()).not.toHaveProperty('transactionId');
  });
});
