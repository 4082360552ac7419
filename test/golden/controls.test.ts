/** Negative controls: faults of an implementation that the replay of `scripted` has to catch, and at which step it does. */

import { describe, expect, test } from 'vitest';
import { thinMetadata } from './library.ts';
import type { MetadataFactory, TargetMetadata } from './metadata.ts';
import { beginReplay, compareStep, scriptedPool } from './replay.ts';

type Fault = (metadata: TargetMetadata) => Partial<TargetMetadata>;

/** The library with some operations of every metadata it opens replaced. */
function withFault(fault: Fault): MetadataFactory {
  const wrap = (metadata: TargetMetadata): TargetMetadata => {
    const replaced = fault(metadata);
    return new Proxy(metadata, {
      get: (target, key) => {
        if (key in replaced) return Reflect.get(replaced, key);
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
  return {
    format: (device, options) => wrap(thinMetadata!.format(device, options)),
    open: (device, options) => wrap(thinMetadata!.open(device, options)),
  };
}

/** The first step whose image differs, and how. */
function firstDifference(factory: MetadataFactory): string {
  const pool = scriptedPool();
  const replay = beginReplay(pool, factory);
  for (const step of pool.steps) {
    replay.run(step);
    const text = compareStep(pool, step, replay.device);
    if (text !== '') return text;
  }
  return '';
}

function lostOnce<T>(work: () => T, nth: number): () => T | undefined {
  let calls = 0;
  return () => {
    calls += 1;
    return calls === nth ? undefined : work();
  };
}

describe.skipIf(!thinMetadata)('the replay catches', () => {
  test('nothing where there is no fault', () => {
    expect(firstDifference(withFault(() => ({})))).toBe('');
  });

  test('a lost commit', () => {
    const text = firstDifference(withFault((metadata) => ({ commit: lostOnce(() => metadata.commit(), 5) })));
    expect(text).toContain('scripted, step 03-write-shuffled');
    expect(text).toMatch(/block 0: thin superblock; byte \d+ is 0x/);
  });

  test('a skipped reference count', () => {
    const text = firstDifference(withFault(() => ({ decDataRange: () => {} })));
    expect(text).toContain('scripted, step 07-discard');
    expect(text).toContain('bitmap');
  });

  test('a data block that is not the one the kernel takes', () => {
    const skip = (metadata: TargetMetadata) => () => {
      metadata.allocateDataBlock();
      return metadata.allocateDataBlock();
    };
    expect(firstDifference(withFault((metadata) => ({ allocateDataBlock: skip(metadata) })))).toContain(
      'step 02-write',
    );
  });

  test('a count of three for a while, as from an inc before its remove_range', () => {
    // It leaves its traces in the tree of reference counts, although the counts are the same in the end.
    const early = (metadata: TargetMetadata): Partial<TargetMetadata> => ({
      incDataRange: (begin, end) => {
        metadata.incDataRange(begin, end);
        metadata.incDataRange(begin, end);
      },
      decDataRange: (begin, end) => {
        metadata.decDataRange(begin, end);
        metadata.decDataRange(begin, end);
      },
    });
    expect(firstDifference(withFault(early))).toContain('step 07-discard');
  });
});
