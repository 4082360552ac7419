import { Socket } from 'node:net';

/** Bytes that are received at once where no payload says where they belong. */
const SCRATCH_BYTES = 64 * 1024;

/** A payload's rest that is shorter is received with what follows it: one system call less. */
const MIN_TARGET_BYTES = 16 * 1024;

/** Who takes what a socket receives. */
export interface Receiver {
  /** Where the next bytes belong, if that is known. */
  readonly nextTarget: Uint8Array | undefined;
  /** @returns Whether the memory of the piece is kept. */
  receive(piece: Uint8Array): boolean;
}

/**
 * Reads an accepted socket into memory of our own: the same again and again, or straight to where a payload belongs. Node offers that to sockets that
 * connect (`onread`) but not to those that are accepted, and otherwise allocates 64 KiB for each read, however short it is: half of the time that a server
 * of short requests needs in user space (docs/decisions/0007-nbd-server-shape.md). So the accepted connection is taken over by a new socket. That is
 * not documented; where it can't be done, on other platforms, the socket stays as it is and is read by its events.
 *
 * @param accepted - Paused, and never read before.
 * @returns The socket to use from now on. Reading has begun.
 */
export function readDirectly(accepted: Socket, receiver: Receiver): Socket {
  const shell = accepted as unknown as { _handle: { useUserBuffer?: unknown } | null };
  const handle = shell._handle;
  if (typeof handle?.useUserBuffer !== 'function') return readByEvents(accepted, receiver);
  shell._handle = null;
  // An empty shell; its end tells the listener that one connection less is its business.
  accepted.destroy();
  let scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  const nextBuffer = (): Uint8Array => {
    const target = receiver.nextTarget;
    return target !== undefined && target.byteLength >= MIN_TARGET_BYTES ? target : scratch;
  };
  const callback = (length: number, buffer: Uint8Array): boolean => {
    const isKept = receiver.receive(buffer.subarray(0, length));
    if (isKept && buffer.buffer === scratch.buffer) scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
    return true;
  };
  return new Socket({ handle, onread: { buffer: nextBuffer, callback } } as ConstructorParameters<typeof Socket>[0]);
}

function readByEvents(socket: Socket, receiver: Receiver): Socket {
  socket.on('data', (piece: Buffer) => receiver.receive(piece));
  socket.resume();
  return socket;
}
