import type { Finding } from 'persistent-data';
import { ThinCheck } from 'persistent-data/thin';
import { expect, test } from 'vitest';
import { makePool, SNAPSHOT_POOL } from '../../../test/structures/pools.ts';
import { SickPool } from '../../../test/structures/sick-pool.ts';
import { CheckFindings } from './check-findings.ts';
import { PhaseFailedError } from './check-text.ts';
import type { Report } from './report.ts';
import { ThinCheckText } from './thin-check-text.ts';

/** What is said of a pool that was damaged. */
function said(damage: (pool: SickPool) => void, options = {}): string[] {
  const pool = new SickPool(makePool({ ...SNAPSHOT_POOL, afterSnapshot: [0] }));
  damage(pool);
  const lines: string[] = [];
  const report = { title: (text: string) => lines.push(text), warn: (text: string) => lines.push(text) };
  const findings = new CheckFindings();
  const text = new ThinCheckText(report as unknown as Report, findings);
  const onPhase = (phase: Parameters<ThinCheckText['beginPhase']>[0]): void => {
    text.endPhase();
    text.beginPhase(phase);
  };
  try {
    for (const finding of new ThinCheck(pool.device, { onPhase, ...options }).run()) {
      findings.add(finding);
      text.add(finding);
    }
    text.endPhase();
    if (findings.verdict === 'leaks') text.leaks();
  } catch (error) {
    expect(error).toBeInstanceOf(PhaseFailedError);
  }
  return lines;
}

const BEGIN = ['Checking thin metadata', 'device details tree'];
const ALL = [...BEGIN, 'mapping tree', 'data space map', 'metadata space map'];
const leafOf = (pool: SickPool): number => pool.children(pool.deviceRoot(0))[1]!;

test('of a sound pool: the titles', () => {
  expect(said(() => undefined)).toEqual(ALL);
});

test('a phase that fails ends the check', () => {
  expect(said((pool) => pool.spoil(pool.mappingRoot))).toEqual([
    'Checking thin metadata',
    expect.stringMatching(/^mapping top-level: node error: Cannot read btree_node block \d+: csum/),
  ]);
  expect(said((pool) => pool.spoil(pool.detailsRoot))).toEqual([
    ...BEGIN,
    expect.stringMatching(/^device details tree: node error: /),
  ]);
  expect(said((pool) => pool.spoil(0, 100))).toEqual(['bad checksum in superblock']);
});

test('a broken leaf: how many nodes, which, what that takes away, and from whom', () => {
  expect(said((pool) => pool.spoil(leafOf(pool)))).toEqual([
    ...BEGIN,
    'mapping tree',
    '1 nodes in data mapping tree contain errors',
    '0 io errors, 1 checksum errors',
    expect.stringMatching(/^ {2}Cannot read btree_node .*\(thin device 1, virtual blocks 744 to below 1122\)$/),
    expect.stringMatching(/^Thin device 1 has 1 errors and is missing \d+ mappings, while expected 600$/),
    expect.stringMatching(/^Thin device 2 has 1 errors/),
    'Check of mappings failed',
  ]);
});

test('a broken root is no node of a tree', () => {
  const lines = said((pool) => pool.spoil(pool.deviceRoot(2)));
  expect(lines.slice(3)).toEqual([
    expect.stringContaining('(thin device 7, virtual blocks 0 to the end)'),
    'Thin device 7 is missing root with 4 mappings',
    'Check of mappings failed',
  ]);
});

test('wrong counts and broken bitmaps', () => {
  expect(said((pool) => pool.setCount('data', 0, 0)).slice(-2)).toEqual([
    expect.stringMatching(/^Bad reference count for data block 0\. {2}Expected \d, but space map contains 0\.$/),
    'data space map: Fatal errors in data space map',
  ]);
  expect(said((pool) => pool.spoil(pool.bitmap('metadata'))).slice(-2)).toEqual([
    expect.stringMatching(/^Index entry points to block \(\d+\) that isn't a bitmap$/),
    'metadata space map: Fatal errors in metadata space map',
  ]);
  expect(said((pool) => pool.spoil(pool.spaceMap('metadata').bitmapRoot)).at(-1)).toBe(
    'metadata space map: bad checksum in index block',
  );
  expect(said((pool) => pool.spoil(pool.spaceMap('data').refCountRoot)).at(-1)).toMatch(
    /^data space map: node error: /,
  );
});

test('leaks are told where they are found, and at the end', () => {
  const lines = said((pool) => {
    for (const block of [9000, 9001]) pool.setCount('data', block, 1);
    pool.setCount('metadata', 900, 1);
  });
  expect(lines).toEqual([
    ...ALL.slice(0, 4),
    '2 data blocks have leaked.',
    'metadata space map',
    '1 metadata blocks have leaked.',
    'data space map contains leaks\nperhaps you wanted to run with --auto-repair',
  ]);
});

test('a metadata snapshot that is wrong', () => {
  const spoil = (pool: SickPool): void => pool.spoil(pool.superblockField('heldRoot'), 100);
  expect(said(spoil).at(-1)).toBe('metadata snap: bad checksum in superblock');
  expect(said(spoil, { metadataSnapshot: true })).toEqual(['metadata snap: bad checksum in superblock']);
});

test('thousands of wrong counts are cut short', () => {
  const lines: string[] = [];
  const findings = new CheckFindings();
  const text = new ThinCheckText(
    { title: () => undefined, warn: (line: string) => lines.push(line) } as never,
    findings,
  );
  text.beginPhase('data-space-map');
  for (let counted = 0; counted < 1500; counted++) {
    const finding = {
      severity: 'fatal',
      code: 'space-map.count',
      message: `m${counted}`,
      counted,
    } as unknown as Finding;
    findings.add(finding);
    text.add(finding);
  }
  expect(() => text.endPhase()).toThrow(PhaseFailedError);
  expect(lines.slice(999)).toEqual([
    'm999',
    '500 more (--json shows all)',
    'data space map: Fatal errors in data space map',
  ]);
});

test('what was repaired', () => {
  const lines: string[] = [];
  const text = new ThinCheckText({ title: (line: string) => lines.push(line) } as never, new CheckFindings());
  text.repaired({ nrDataLeaks: 1, nrMetadataLeaks: 2, clearedNeedsCheck: true });
  expect(lines).toEqual(['Repairing data leaks.', 'Repairing metadata leaks.', 'Cleared needs_check flag']);
});
