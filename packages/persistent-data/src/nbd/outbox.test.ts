import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BufferPool } from './buffer-pool.ts';
import { MemoryBudget } from './memory-budget.ts';
import { Outbox, type Region } from './outbox.ts';

function setUp() {
  const pool = new BufferPool(1 << 20);
  const budget = new MemoryBudget({ limitBytes: 1 << 24, floorBytes: 0 });
  const share = budget.share();
  const sent: Uint8Array[] = [];
  const pending: (() => void)[] = [];
  const outbox = new Outbox(pool, share, (parts, onSent) => {
    for (const part of parts) sent.push(part.slice());
    pending.push(onSent);
  });
  return { pool, budget, share, sent, pending, outbox };
}

const step = fc.oneof(
  fc.record({ kind: fc.constant('alloc' as const), length: fc.integer({ min: 1, max: 65536 }), value: fc.nat(255) }),
  fc.record({ kind: fc.constant('detach' as const), length: fc.integer({ min: 1, max: 3000 }), value: fc.nat(255) }),
  fc.record({ kind: fc.constantFrom('attach', 'discard', 'flush', 'sent', 'rewind') }),
  fc.record({ kind: fc.constant('append' as const), length: fc.integer({ min: 1, max: 1000 }), value: fc.nat(255) }),
);

test('everything is sent once, in order, and all memory comes back', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, closeEarly) => {
      const { pool, share, sent, pending, outbox } = setUp();
      const wanted: [length: number, value: number][] = [];
      const regions: { region: Region; value: number }[] = [];
      for (const s of steps) {
        if (s.kind === 'alloc' || s.kind === 'detach') {
          const at = outbox.alloc(s.length);
          outbox.bytes.fill(s.value, at, at + s.length);
          if (s.kind === 'alloc') wanted.push([s.length, s.value]);
          else regions.push({ region: outbox.detach(s.length), value: s.value });
        } else if (s.kind === 'attach' && regions.length > 0) {
          const { region, value } = regions.shift()!;
          outbox.attach(region);
          wanted.push([region.length, value]);
        } else if (s.kind === 'discard' && regions.length > 0) outbox.discard(regions.pop()!.region);
        else if (s.kind === 'rewind') {
          outbox.alloc(17);
          outbox.rewind(17);
        } else if (s.kind === 'append') {
          const buffer = pool.take(s.length);
          share.add(s.length);
          outbox.append(buffer.fill(s.value).subarray(0, s.length), buffer);
          wanted.push([s.length, s.value]);
        } else if (s.kind === 'flush') outbox.flush();
        else if (s.kind === 'sent') pending.shift()?.();
      }
      if (closeEarly) outbox.close();
      else outbox.flush();
      const bytes = Buffer.concat(wanted.map(([length, value]) => Buffer.alloc(length, value)));
      if (!closeEarly) expect(Buffer.concat(sent).equals(bytes)).toBe(true);
      for (const { region } of regions) outbox.discard(region);
      for (const onSent of pending) onSent();
      expect(outbox.waitingBytes).toBe(0);
      expect(outbox.isSending).toBe(false);
      expect(share.heldBytes).toBe(0);
    }),
    { numRuns: 30 },
  );
});

test('short replies of one turn leave as one part, and the slab begins anew when it is free', () => {
  const { pending, outbox, sent } = setUp();
  expect([outbox.alloc(16), outbox.alloc(16)]).toEqual([0, 16]);
  outbox.flush();
  expect([sent.length, sent[0]!.length, pending.length]).toEqual([1, 32, 1]);
  expect(outbox.alloc(8)).toBe(32);
  outbox.rewind(8);
  pending[0]!();
  expect(outbox.alloc(8)).toBe(0);
});
