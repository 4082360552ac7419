import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StreamParser } from './stream-parser.ts';

/** Messages: length (1 byte), kind (1 byte: 0 take, 1 fill, 2 skip, 3 a header of 4 bytes instead of 2), payload. */
class Probe extends StreamParser {
  readonly seen: string[] = [];
  readonly copied: boolean[] = [];
  stopEvery = 0;
  constructor() {
    super();
    this.expect(2);
  }
  protected override onHeader(bytes: Uint8Array, at: number): boolean {
    const length = bytes[at]!;
    const kind = bytes[at + 1]!;
    if (kind === 3) {
      if (this.seen.at(-1) !== 'longer') {
        this.seen.push('longer');
        this.expect(4);
        return false;
      }
      this.seen.push(`long ${bytes[at + 2]} ${bytes[at + 3]}`);
      this.expect(2);
      return true;
    }
    this.seen.push(`header ${length} ${kind}`);
    if (kind === 0) this.take(length, (n) => new Uint8Array(n));
    else if (kind === 1) this.fill(new Uint8Array(length));
    else this.skip(length);
    if (this.stopEvery > 0 && this.seen.length % this.stopEvery === 0) this.halt();
    return true;
  }
  protected override onPayload(payload: Uint8Array, copied: boolean): void {
    this.seen.push(`payload ${[...payload].join(' ')}`);
    this.copied.push(copied);
  }
  go(): void {
    this.proceed();
  }
}

const message = fc.oneof(
  fc.tuple(fc.constantFrom(0, 1, 2), fc.uint8Array({ maxLength: 40 })).map(([kind, p]) => [p.length, kind, ...p]),
  fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => [0, 3, a, b]),
);

test('whatever the pieces, the messages are the same', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), fc.array(fc.nat(50)), fc.nat(3), (messages, cuts, stopEvery) => {
      const stream = Uint8Array.from(messages.flat());
      const whole = new Probe();
      expect(whole.feed(stream)).toBe(stream.length);
      const pieces = new Probe();
      pieces.stopEvery = stopEvery;
      let at = 0;
      for (let i = 0; at < stream.length; i += 1) {
        const piece = stream.slice(at, at + (cuts[i % Math.max(1, cuts.length)] ?? stream.length) + 1);
        let used = pieces.feed(piece);
        while (used < piece.length) {
          expect(pieces.isHalted).toBe(true);
          pieces.go();
          used += pieces.feed(piece.subarray(used));
        }
        at += piece.length;
        if (pieces.isHalted) pieces.go();
        pieces.feed(new Uint8Array(0));
      }
      expect(pieces.seen).toEqual(whole.seen);
      expect(pieces.isInsideMessage).toBe(false);
    }),
  );
});

test('`take()` does not copy what lies in one piece', () => {
  const parser = new Probe();
  parser.feed(Uint8Array.of(3, 0, 7, 8, 9, 3, 0, 1));
  expect(parser.isInsideMessage).toBe(true);
  parser.feed(Uint8Array.of(2, 3));
  expect(parser.seen).toEqual(['header 3 0', 'payload 7 8 9', 'header 3 0', 'payload 1 2 3']);
  expect(parser.copied).toEqual([false, true]);
});

test('what is received where it belongs is not copied', () => {
  const parser = new Probe();
  expect(parser.nextTarget).toBeUndefined();
  parser.feed(Uint8Array.of(4, 1, 5));
  const target = parser.nextTarget!;
  expect(target.byteLength).toBe(3);
  target.set([6, 7]);
  parser.feed(target.subarray(0, 2));
  parser.feed(Uint8Array.of(8));
  expect(parser.seen).toEqual(['header 4 1', 'payload 5 6 7 8']);
  expect(parser.nextTarget).toBeUndefined();
});
