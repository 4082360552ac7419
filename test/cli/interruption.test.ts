/** Ctrl-C with real processes and real signals: 130, no lock left, and what was being written is taken for valid by nobody. */

import { copyFileSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Ending, interruptWhen, type Sign } from './interrupted-run.ts';
import { makeInputs, makeSized, NR_LARGE_BLOCKS, OUTPUT_BYTES } from './interruption-inputs.ts';
import { isBuilt, pdata, scratchFolder } from './program.ts';

const folder = scratchFolder('interruption');
const path = (name: string): string => join(folder, name);
const isLock = (name: string): boolean => name.includes('.lock');

/** Files of one case: none is left of the one before, however it ended. */
const MADE = ['out', 'made', 'copy', 'origin'];

beforeAll(async () => {
  if (isBuilt) await makeInputs(path);
}, 240_000);

beforeEach(() => {
  for (const name of readdirSync(folder)) if (MADE.includes(name) || isLock(name)) rmSync(path(name));
});

interface Case {
  /** Words with `@` stand for files. `@out` is a large device, `@made` is not there, `@copy` is a copy of `copyOf`. */
  readonly call: string;
  /** A file, or what is said. */
  readonly when: string;
  readonly copyOf?: string;
  /** The check that does not take `@out` or `@made` for valid. */
  readonly refuses?: string;
  /** The call that finds `@copy` as good as it was, or mends it. */
  readonly goesOn?: string;
}

const WRITE_BACK = '--metadata-device @copy --fast-device @data --origin-device @origin';

const CASES: readonly Case[] = [
  { call: 'thin_restore -i @large.xml -o @out', when: 'out.lock', refuses: 'thin_check @out' },
  { call: 'thin_repair -i @large -o @out', when: 'out.lock', refuses: 'thin_check @out' },
  {
    call: 'thin_check --auto-repair @copy',
    when: 'copy.lock',
    copyOf: 'leaky',
    goesOn: 'thin_check --auto-repair @copy',
  },
  { call: 'thin_check @leaky', when: 'stderr' },
  { call: 'thin_dump @large', when: 'stdout' },
  { call: 'thin_dump @large -o @made', when: 'made', refuses: 'thin_restore -i @made -o @out' },
  { call: 'thin_rmap --region 0..1000000 @large', when: 'stdout' },
  {
    call: 'thin_metadata_pack -i @large -o @made',
    when: 'made',
    refuses: 'thin_metadata_unpack -f -i @made -o @out',
  },
  { call: 'thin_metadata_unpack -i @large.pack -o @made', when: 'made.lock', refuses: 'thin_check @made' },
  {
    call: `thin_shrink -i @large -o @out --data @data --nr-blocks ${NR_LARGE_BLOCKS} --no-copy --binary`,
    when: 'out.lock',
    refuses: 'thin_check @out',
  },
  { call: 'thin_extract --metadata-dev @volume --data-dev @data --dev-id 1 -o @made', when: 'made' },
  { call: 'thin_migrate --metadata-dev @volume --data-dev @data --dev-id 1 --dest-file @made', when: 'made' },
  { call: 'cache_restore -i @cache.xml -o @out', when: 'out.lock', refuses: 'cache_check @out' },
  { call: 'cache_repair -i @cache -o @out', when: 'out.lock', refuses: 'cache_check @out' },
  { call: 'cache_dump @cache', when: 'stdout' },
  { call: 'cache_dump @cache -o @made', when: 'made', refuses: 'cache_restore -i @made -o @out' },
  {
    call: `cache_writeback ${WRITE_BACK}`,
    when: 'copy.lock',
    copyOf: 'dirty',
    goesOn: `cache_writeback ${WRITE_BACK}`,
  },
  { call: `cache_detach ${WRITE_BACK}`, when: 'copy.lock', copyOf: 'dirty', goesOn: `cache_detach ${WRITE_BACK}` },
  { call: 'era_restore -i @era.xml -o @out', when: 'out.lock', refuses: 'era_check @out' },
  { call: 'era_repair -i @era -o @out', when: 'out.lock', refuses: 'era_check @out' },
  { call: 'era_dump @era', when: 'stdout' },
  { call: 'era_dump @era -o @made', when: 'made', refuses: 'era_restore -i @made -o @out' },
];

function words(call: string): string[] {
  return call.split(' ').map((word) => (word.startsWith('@') ? path(word.slice(1)) : word));
}

/** Runs a case up to its signal. */
function interrupt({ call, when, copyOf }: Pick<Case, 'call' | 'when' | 'copyOf'>): Promise<Ending> {
  const sign: Sign = when === 'stdout' || when === 'stderr' ? when : { file: path(when) };
  return interruptWhen(sign, words(call), () => {
    rmSync(path('made'), { force: true });
    makeSized(path('out'), OUTPUT_BYTES);
    makeSized(path('origin'), 256 << 20);
    if (copyOf !== undefined) copyFileSync(path(copyOf), path('copy'));
  });
}

describe.skipIf(!isBuilt)('Ctrl-C', () => {
  test.each(CASES)('ends $call with 130', { timeout: 120_000 }, async (each) => {
    const { code, signal, stderr } = await interrupt(each);
    expect({ code, signal }, stderr).toEqual({ code: 130, signal: null });
    expect(stderr).not.toContain('nterrupt');
    expect(readdirSync(folder).filter(isLock)).toEqual([]);
    if (each.refuses !== undefined) expect((await pdata(words(each.refuses))).status).not.toBe(0);
    if (each.goesOn !== undefined) expect((await pdata(words(each.goesOn))).status).toBe(0);
  });

  test('leaves a write-back that goes on and brings all blocks to the origin', { timeout: 60_000 }, async () => {
    await interrupt({ call: `cache_writeback --buffer-size-meg 8 ${WRITE_BACK}`, when: 'copy.lock', copyOf: 'dirty' });
    const { stdout } = await pdata(words(`cache_writeback ${WRITE_BACK}`));
    expect(stdout).toMatch(/^(\d+)\/\1 blocks successfully copied\n$/);
    const [fast, origin] = [readFileSync(path('data')), readFileSync(path('origin'))];
    const nrBlocks = fast.length / 65_536;
    for (let block = 0; block < nrBlocks; block++) {
      const [from, to] = [block * 65_536, ((block * 7) % nrBlocks) * 65_536];
      expect(origin.subarray(to, to + 3), `cache block ${block}`).toEqual(fast.subarray(from, from + 3));
    }
  });
});
