/** Servers that say what they should not, told to a client without a socket. */

import { describe, expect, test } from 'vitest';
import { ProtocolError, StateError, UnsupportedError } from '../base/index.ts';
import { type BytesPart, bytesOf, nbdString } from '../testing/index.ts';
import { type ClientAgreement, listExports, negotiate, requestTls } from './client-negotiation.ts';
import { ClientOptions } from './client-options.ts';
import { type ClientRequest, ClientTransmission } from './client-transmission.ts';

const GREETING = bytesOf('NBDMAGIC', 'IHAVEOPT', [3, 2]);
const UNSUP = 0x80000001;

const reply = (option: number, type: number, ...data: BytesPart[]) => {
  const bytes = bytesOf(...data);
  return bytesOf([0x0003e889045565a9n, 8], [option, 4], [type, 4], [bytes.byteLength, 4], bytes);
};

/** A client that is told `answers`, one after each option; then the connection ends. */
function told(...answers: Uint8Array[]): ClientOptions {
  let isFlags = true;
  const options = new ClientOptions((said) => {
    if (isFlags) expect([...said]).toEqual([0, 0, 0, 3]);
    else {
      const answer = answers.shift();
      queueMicrotask(() => (answer === undefined ? options.fail(new ProtocolError('the end')) : options.feed(answer)));
    }
    isFlags = false;
  });
  options.feed(GREETING);
  return options;
}

async function go(...answers: Uint8Array[]): Promise<ClientAgreement> {
  const options = told(...answers);
  await options.greet();
  return negotiate(options, { name: 'x', contexts: [], structured: false, extended: false });
}

const info = (...data: BytesPart[]) => reply(7, 3, ...data);
const ack = reply(7, 1);

describe('negotiation', () => {
  test('size, flags, block size and description', async () => {
    const all = bytesOf(
      info([0, 2], [12345, 8], [0x1ff, 2]),
      info([3, 2], [512, 4], [4096, 4], [0xffffffff, 4]),
      info([2, 2], 'hi'),
      info([9, 2]),
      ack,
    );
    expect(await go(all)).toMatchObject({
      size: 12345,
      transmissionFlags: 0x1ff,
      description: 'hi',
      blockSize: { min: 512, preferred: 4096, max: 0xffffffff },
    });
  });

  test('an old server: EXPORT_NAME, after GO is not known', async () => {
    expect(await go(reply(7, UNSUP), bytesOf([4096, 8], [1, 2]))).toMatchObject({ size: 4096, transmissionFlags: 1 });
  });

  test.each<[string, Uint8Array, unknown]>([
    ['a size of 2^63 and more', bytesOf(info([0, 2], [2n ** 63n, 8], [1, 2]), ack), UnsupportedError],
    ['no size', ack, ProtocolError],
    ['a short size', bytesOf(info([0, 2], [1, 4]), ack), ProtocolError],
    [
      'block sizes that can not be',
      bytesOf(info([0, 2], [1, 8], [1, 2]), info([3, 2], [3, 4], [4096, 4], [1, 4]), ack),
      ProtocolError,
    ],
    ['another magic', new Uint8Array(20), ProtocolError],
    ['a reply to another option', reply(6, 1), ProtocolError],
    ['an unknown name', reply(7, 0x80000006, 'no such thing'), StateError],
    ['a refusal', reply(7, 0x80000002), UnsupportedError],
    ['an answer of 4 GiB', bytesOf(reply(7, 3).subarray(0, 16), [0xffffffff, 4]), ProtocolError],
    ['an endless answer', bytesOf(...new Array(200).fill(info([2, 2], 'x'.repeat(60_000)))), ProtocolError],
    [
      'a description that is no UTF-8',
      bytesOf(info([0, 2], [1, 8], [1, 2]), info([2, 2], Uint8Array.of(255)), ack),
      ProtocolError,
    ],
  ])('%s', async (_what, answer, wanted) => {
    await expect(go(answer)).rejects.toThrow(wanted as typeof ProtocolError);
  });

  test('a server that dies while it negotiates', async () => {
    await expect(go()).rejects.toThrow('the end');
    const options = told();
    options.fail(new ProtocolError('gone'));
    await expect(options.greet().then(() => listExports(options))).rejects.toThrow('gone');
  });

  test('no TLS where it was wanted is an error, and so is a malformed list', async () => {
    const refused = told(reply(5, UNSUP));
    await refused.greet();
    await expect(requestTls(refused)).rejects.toThrow(UnsupportedError);
    for (const line of [bytesOf([9, 4], 'ab'), bytesOf('ab'), nbdString('a\0')]) {
      const options = told(bytesOf(reply(3, 2, line), reply(3, 1)));
      await options.greet();
      await expect(listExports(options)).rejects.toThrow(ProtocolError);
    }
  });

  test('a context that nobody asked for', async () => {
    const options = told(reply(8, 1), bytesOf(reply(10, 4, [1, 4], 'evil:context'), reply(10, 1)));
    await options.greet();
    const wishes = { name: '', contexts: ['base:allocation'], structured: true, extended: false };
    await expect(negotiate(options, wishes)).rejects.toThrow(ProtocolError);
  });

  test.each([
    ['no NBD server', bytesOf('SSH-2.0-OpenSSH_9.2')],
    ['the old style', bytesOf('NBDMAGIC', [0x420281861253, 8], [0, 2])],
    ['newstyle that is not fixed', bytesOf('NBDMAGIC', 'IHAVEOPT', [2, 2])],
  ])('%s', async (_what, greeting) => {
    const options = new ClientOptions(() => {});
    options.feed(greeting);
    await expect(options.greet()).rejects.toThrow(ProtocolError);
  });
});

type Form = 'simple' | 'structured' | 'extended';

/** What becomes of one request that is answered so. */
async function answered(form: Form, request: ClientRequest, ...answer: BytesPart[]) {
  const agreement: ClientAgreement = {
    size: 1 << 20,
    transmissionFlags: 0xffff,
    description: undefined,
    blockSize: undefined,
    structured: form !== 'simple',
    extended: form === 'extended',
    contexts: new Map([[3, 'base:allocation']]),
  };
  const broken: Error[] = [];
  const transmission = new ClientTransmission(
    agreement,
    () => {},
    (error) => broken.push(error),
  );
  const result = transmission.request(request);
  result.catch(() => {});
  const bytes = bytesOf(...answer);
  for (let at = 0; at < bytes.byteLength; at += 3) transmission.feed(bytes.slice(at, at + 3));
  transmission.fail(new ProtocolError('the end'));
  return { result, broken };
}

const chunk = (type: number, done: 0 | 1, ...body: BytesPart[]) => {
  const bytes = bytesOf(...body);
  return bytesOf([0x668e33ef, 4], [done, 2], [type, 2], [1, 8], [bytes.byteLength, 4], bytes);
};
const read = (): ClientRequest & { into: Uint8Array } => ({
  type: 0,
  flags: 0,
  offset: 100,
  length: 10,
  into: new Uint8Array(10).fill(0xee),
});
const status: ClientRequest = { type: 7, flags: 0, offset: 100, length: 10 };

describe('transmission', () => {
  test('a read in chunks of any order, with holes', async () => {
    const request = read();
    const { result } = await answered(
      'structured',
      request,
      chunk(1, 0, [105, 8], 'fghij'),
      chunk(2, 0, [102, 8], [3, 4]),
      chunk(1, 0, [100, 8], 'ab'),
      chunk(0, 1),
    );
    await result;
    expect(Buffer.from(request.into).toString()).toBe('ab\0\0\0fghij');
  });

  test('the first error of a reply is the one, and the rest is still heard', async () => {
    const { result, broken } = await answered(
      'structured',
      read(),
      chunk(0x8002, 0, [5, 4], [3, 2], 'bad', [103, 8]),
      chunk(1, 0, [100, 8], 'ab'),
      chunk(0x8001, 1, [28, 4], [0, 2]),
    );
    await expect(result).rejects.toMatchObject({ errno: 'EIO', message: expect.stringContaining('bad') });
    expect(broken).toEqual([]);
    const simple = await answered('simple', read(), [0x67446698, 4], [4711, 4], [1, 8]);
    await expect(simple.result).rejects.toMatchObject({ errno: 'EINVAL' });
  });

  test('extents are cut at the end of the range', async () => {
    const { result } = await answered('structured', status, chunk(5, 1, [3, 4], [4, 4], [3, 4], [1000, 4], [0, 4]));
    expect((await result).get(3)).toEqual([
      { length: 4, flags: 3 },
      { length: 6, flags: 0 },
    ]);
    const big = 2n ** 40n;
    const long = await answered(
      'extended',
      status,
      [0x6e8a278c, 4],
      [1, 2],
      [6, 2],
      [1, 8],
      [100, 8],
      [24, 8],
      [3, 4],
      [1, 4],
      [big, 8],
      [5, 8],
    );
    expect((await long.result).get(3)).toEqual([{ length: 10, flags: 5 }]);
  });

  test.each<[string, Form, ClientRequest, BytesPart[]]>([
    ['a read that is answered in part', 'structured', read(), [chunk(1, 1, [100, 8], 'abc')]],
    ['a read that is answered with nothing', 'structured', read(), [chunk(0, 1)]],
    ['the same bytes twice', 'structured', read(), [chunk(1, 0, [100, 8], 'abcde'), chunk(1, 1, [100, 8], 'abcde')]],
    ['data before the range', 'structured', read(), [chunk(1, 1, [99, 8], 'abc')]],
    ['data behind the range', 'structured', read(), [chunk(1, 1, [108, 8], 'abc')]],
    ['data at 2^64 - 1', 'structured', read(), [chunk(1, 1, [2n ** 64n - 1n, 8], 'abc')]],
    ['a hole of 4 GiB', 'structured', read(), [chunk(2, 1, [100, 8], [0xffffffff, 4])]],
    ['a hole of nothing', 'structured', read(), [chunk(2, 1, [100, 8], [0, 4])]],
    ['a chunk of data without data', 'structured', read(), [chunk(1, 1, [100, 8])]],
    [
      'a chunk of 4 GiB',
      'structured',
      read(),
      [
        [0x668e33ef, 4],
        [1, 2],
        [1, 2],
        [1, 8],
        [0xffffffff, 4],
        [100, 8],
      ],
    ],
    [
      'an error of 4 GiB',
      'structured',
      read(),
      [
        [0x668e33ef, 4],
        [1, 2],
        [0x8001, 2],
        [1, 8],
        [0xffffffff, 4],
      ],
    ],
    ['an error whose message is longer than it', 'structured', read(), [chunk(0x8001, 1, [5, 4], [9, 2], 'x')]],
    ['an error that is none', 'structured', read(), [chunk(0x8001, 1, [0, 4], [0, 2])]],
    ['a simple reply to a read', 'structured', read(), [[0x67446698, 4], [0, 4], [1, 8], 'abcdefghij']],
    ['a chunk where none was agreed on', 'simple', read(), [chunk(0, 1)]],
    [
      'a simple reply where all are extended',
      'extended',
      read(),
      [[0x67446698, 4], [0, 4], [1, 8], new Uint8Array(16)],
    ],
    [
      'a reply to nothing',
      'simple',
      read(),
      [
        [0x67446698, 4],
        [0, 4],
        [2, 8],
      ],
    ],
    [
      'a chunk of nothing that was asked',
      'structured',
      read(),
      [
        [0x668e33ef, 4],
        [1, 2],
        [0, 2],
        [7, 8],
        [0, 4],
      ],
    ],
    ['an empty chunk that is not the last', 'structured', read(), [chunk(0, 0)]],
    ['a chunk of a type that nobody knows', 'structured', read(), [chunk(77, 1, 'x')]],
    ['data for a flush', 'structured', { type: 3, flags: 0, offset: 0, length: 0 }, [chunk(1, 1, [0, 8], 'x')]],
    ['extents for a read', 'structured', read(), [chunk(5, 1, [3, 4], [10, 4], [0, 4])]],
    ['extents of another context', 'structured', status, [chunk(5, 1, [4, 4], [10, 4], [0, 4])]],
    [
      'extents twice',
      'structured',
      status,
      [chunk(5, 0, [3, 4], [10, 4], [0, 4]), chunk(5, 1, [3, 4], [10, 4], [0, 4])],
    ],
    ['no extents', 'structured', status, [chunk(0, 1)]],
    ['an extent of no length', 'structured', status, [chunk(5, 1, [3, 4], [0, 4], [0, 4])]],
    ['extents behind the end', 'structured', status, [chunk(5, 1, [3, 4], [10, 4], [0, 4], [1, 4], [0, 4])]],
    ['half an extent', 'structured', status, [chunk(5, 1, [3, 4], [10, 4], [0, 2])]],
    ['another magic', 'simple', read(), [new Uint8Array(16).fill(1)]],
  ])('%s is a breach, and final', async (_what, form, request, answer) => {
    const { result, broken } = await answered(form, request, ...answer);
    await expect(result).rejects.toThrow(ProtocolError);
    await expect(result).rejects.not.toThrow('the end');
    expect(broken.length).toBe(1);
  });
});
