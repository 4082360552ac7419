import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type Receiver, readDirectly } from './direct-reading.ts';

let server: Server;
let client: Socket;
afterEach(async () => {
  client.destroy();
  await new Promise((done) => server.close(done));
});

/** A socket that `receiver` reads, and its client. */
async function pair(receiver: Receiver, prepare: (accepted: Socket) => void = () => {}): Promise<Socket> {
  const reading = new Promise<Socket>((done) => {
    server = createServer({ pauseOnConnect: true }, (accepted) => {
      prepare(accepted);
      done(readDirectly(accepted, receiver));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  client = connect((server.address() as { port: number }).port, '127.0.0.1');
  return reading;
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((done) => setTimeout(done, 1));
}

test.each([
  ['straight into memory of ours', () => {}],
  [
    'by events, where the platform can not do that',
    (accepted: Socket) => {
      Object.assign((accepted as unknown as { _handle: object })._handle, { useUserBuffer: undefined });
    },
  ],
])('all bytes arrive, in order: %s', async (_what, prepare) => {
  const heard: Buffer[] = [];
  const receive = (piece: Uint8Array) => {
    heard.push(Buffer.from(piece));
    return false;
  };
  const socket = await pair({ nextTarget: undefined, receive }, prepare);
  const bytes = Buffer.from(Uint8Array.from({ length: 1_000_000 }, (_, i) => i % 251));
  client.end(bytes);
  await new Promise((done) => socket.once('close', done));
  expect(Buffer.concat(heard).equals(bytes)).toBe(true);
});

test('bytes go to the target; memory that is kept is not used again', async () => {
  const target = new Uint8Array(100_000);
  const kept: Uint8Array[] = [];
  let filled = -1;
  const receiver: Receiver = {
    get nextTarget() {
      return filled >= 0 && filled < target.byteLength ? target.subarray(filled) : undefined;
    },
    receive(piece) {
      if (filled < 0) filled = 0;
      else if (piece.buffer === target.buffer) filled += piece.byteLength;
      if (piece.buffer !== target.buffer) kept.push(piece);
      return piece.buffer !== target.buffer;
    },
  };
  const socket = await pair(receiver);
  client.write('first');
  await until(() => kept.length === 1);
  client.write(new Uint8Array(90_000).fill(7));
  await until(() => filled === 90_000);
  // What is left is short, so that it is received with what follows.
  client.write('second');
  await until(() => kept.length === 2);
  expect(kept.map((piece) => Buffer.from(piece).toString())).toEqual(['first', 'second']);
  expect(target.subarray(0, 90_000).every((byte) => byte === 7)).toBe(true);
  socket.destroy();
});

test('it can be paused and goes on', async () => {
  let nrBytes = 0;
  const receive = (piece: Uint8Array) => {
    nrBytes += piece.byteLength;
    socket.pause();
    return false;
  };
  const socket = await pair({ nextTarget: undefined, receive });
  client.write(new Uint8Array(200_000));
  await until(() => nrBytes > 0);
  await new Promise((done) => setTimeout(done, 20));
  expect(nrBytes).toBeLessThanOrEqual(65_536);
  while (nrBytes < 200_000) {
    socket.resume();
    await new Promise((done) => setTimeout(done, 1));
  }
  socket.destroy();
});
