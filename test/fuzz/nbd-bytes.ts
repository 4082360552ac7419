/** Random conversations of NBD clients, right ones and spoiled ones. */

import {
  bytesOf,
  nbdContextData,
  nbdInfoData,
  nbdOption,
  nbdRequest,
  nbdString,
  type Random,
} from 'persistent-data/testing';

/** Bytes of the export that conversations are about. */
export const EXPORT_BYTES = 1 << 16;

const NAMES = ['disk', 'disk', 'disk', '', 'Disk', 'x'.repeat(300), '\u{1f4be}', 'a\0b'];
const CONTEXTS = [
  'base:allocation',
  'qemu:allocation-depth',
  'x-persistent-data:sharing',
  'qemu:',
  'base:',
  'foo:bar',
  '',
];
/** Numbers that break arithmetic, if any do. */
const NASTY = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff];

function some<T>(random: Random, items: readonly T[], most: number): T[] {
  return Array.from({ length: random.below(most + 1) }, () => random.pick(items));
}

function randomOption(random: Random): Uint8Array {
  const name = random.pick(NAMES);
  switch (random.below(8)) {
    case 0:
      return nbdOption(3);
    case 1:
      return nbdOption(6, nbdInfoData(name, some(random, [0, 1, 2, 3, 9], 5)));
    case 2:
      return nbdOption(8);
    case 3:
      return nbdOption(9, nbdContextData(name, some(random, CONTEXTS, 4)));
    case 4:
      return nbdOption(10, nbdContextData(name, some(random, CONTEXTS, 4)));
    case 5:
      return nbdOption(random.pick([4, 5, 12, 99, 0xffffffff]), new Uint8Array(random.below(40)));
    case 6:
      return nbdOption(random.below(12), nbdString(name));
    default:
      return random.chance(0.1) ? nbdOption(2) : nbdOption(8);
  }
}

function randomRequest(random: Random, extended: boolean): Uint8Array {
  const type = random.pick([0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0xffff]);
  if (type === 2 && random.chance(0.7)) return new Uint8Array(0);
  const isWrite = type === 1;
  const flags = random.chance(0.7) ? 0 : random.pick([1, 2, 4, 8, 16, 17, 18, 32, 64, 0xffff]);
  const length = random.pick([0, 1, 100, 512, 4096, 20_000, 40_000]);
  const hasPayload = isWrite || (extended && (flags & 32) !== 0);
  return nbdRequest({
    type,
    flags: isWrite && extended ? flags | 32 : flags,
    cookie: random.uint32(),
    offset: random.chance(0.1) ? BigInt(random.pick(NASTY)) << BigInt(random.below(33)) : random.below(EXPORT_BYTES),
    ...(hasPayload ? { payload: new Uint8Array(length).fill(random.below(256)) } : { length }),
    extended,
  });
}

/** A conversation: flags, options, GO, requests. Right in form, mostly. */
export function randomConversation(random: Random): Uint8Array {
  const extended = random.chance(0.4);
  const agree = extended ? [nbdOption(11)] : random.chance(0.8) ? [nbdOption(8)] : [];
  const contexts = some(random, CONTEXTS.slice(0, 3), 3);
  return bytesOf(
    [random.chance(0.95) ? 3 : random.below(8), 4],
    ...Array.from({ length: random.below(3) }, () => randomOption(random)),
    ...agree,
    ...(contexts.length > 0 ? [nbdOption(10, nbdContextData('disk', contexts))] : []),
    random.chance(0.95) ? nbdOption(7, nbdInfoData('disk', [3])) : nbdOption(1, bytesOf('disk')),
    ...Array.from({ length: random.below(12) }, () => randomRequest(random, extended)),
  );
}

/** Spoils bytes: some are changed, left out, doubled, or moved. */
export function spoil(random: Random, bytes: Uint8Array): Uint8Array {
  let result: Uint8Array = bytes.slice();
  for (let i = random.below(6); i > 0 && result.byteLength > 0; i -= 1) {
    const at = random.chance(0.5) ? random.below(Math.min(200, result.byteLength)) : random.below(result.byteLength);
    const length = Math.min(result.byteLength - at, 1 + random.below(random.pick([2, 8, 64, 5000])));
    switch (random.below(5)) {
      case 0:
        result[at]! ^= 1 << random.below(8);
        break;
      case 1: {
        const nasty = bytesOf([random.pick(NASTY), 4]);
        result.set(nasty.subarray(0, result.byteLength - at), at);
        break;
      }
      case 2:
        result = bytesOf(result.subarray(0, at), result.subarray(at + length));
        break;
      case 3:
        result = bytesOf(result.subarray(0, at + length), result.subarray(at));
        break;
      default:
        result = bytesOf(
          result.subarray(0, at),
          Uint8Array.from({ length: random.below(40) }, () => random.below(256)),
          result.subarray(at),
        );
    }
  }
  return result;
}
