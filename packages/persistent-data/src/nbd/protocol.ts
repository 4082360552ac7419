/**
 * The numbers of the NBD protocol, as tables. All integers on the wire are big-endian. 64-bit magic numbers are given as two halves,
 * high first, because that is how they are read.
 */

/** The first 16 bytes from a server: `NBDMAGIC`, `IHAVEOPT`. The second one also begins each option of a client. */
export const NBDMAGIC = [0x4e42444d, 0x41474943] as const;
export const IHAVEOPT = [0x49484156, 0x454f5054] as const;
export const OPTION_REPLY_MAGIC = [0x0003e889, 0x045565a9] as const;
export const REQUEST_MAGIC = 0x25609513;
export const EXTENDED_REQUEST_MAGIC = 0x21e41c71;
export const SIMPLE_REPLY_MAGIC = 0x67446698;
export const CHUNK_MAGIC = 0x668e33ef;
export const EXTENDED_CHUNK_MAGIC = 0x6e8a278c;

/** Bytes of the fixed parts of messages. */
export const SIZES = {
  hello: 18,
  clientFlags: 4,
  option: 16,
  optionReply: 20,
  request: 28,
  extendedRequest: 32,
  simpleReply: 16,
  chunk: 20,
  extendedChunk: 32,
} as const;

/** Flags of the server's greeting; the client answers with the same bits. */
export const HANDSHAKE_FLAGS = { fixedNewstyle: 1, noZeroes: 2 } as const;

export const OPTIONS = {
  exportName: 1,
  abort: 2,
  list: 3,
  starttls: 5,
  info: 6,
  go: 7,
  structuredReply: 8,
  listMetaContext: 9,
  setMetaContext: 10,
  extendedHeaders: 11,
} as const;

export const REPLIES = {
  ack: 1,
  server: 2,
  info: 3,
  metaContext: 4,
  errUnsup: 0x80000001,
  errPolicy: 0x80000002,
  errInvalid: 0x80000003,
  errPlatform: 0x80000004,
  errTlsReqd: 0x80000005,
  errUnknown: 0x80000006,
  errShutdown: 0x80000007,
  errBlockSizeReqd: 0x80000008,
  errTooBig: 0x80000009,
  errExtHeaderReqd: 0x8000000a,
} as const;

export const INFOS = { export: 0, name: 1, description: 2, blockSize: 3 } as const;

/** What an export can do, told once at the end of the negotiation. */
export const TRANSMISSION_FLAGS = {
  hasFlags: 0x0001,
  readOnly: 0x0002,
  sendFlush: 0x0004,
  sendFua: 0x0008,
  rotational: 0x0010,
  sendTrim: 0x0020,
  sendWriteZeroes: 0x0040,
  sendDf: 0x0080,
  canMultiConn: 0x0100,
  sendCache: 0x0400,
  sendFastZero: 0x0800,
  blockStatusPayload: 0x1000,
} as const;

export const COMMANDS = {
  read: 0,
  write: 1,
  disc: 2,
  flush: 3,
  trim: 4,
  cache: 5,
  writeZeroes: 6,
  blockStatus: 7,
} as const;

/** A command's name, as metrics and logs show it. */
export type CommandName = keyof typeof COMMANDS;

/** The names of {@link COMMANDS}, in the order of their numbers. */
export const COMMAND_NAMES = Object.keys(COMMANDS) as readonly CommandName[];

export const COMMAND_FLAGS = { fua: 1, noHole: 2, df: 4, reqOne: 8, fastZero: 16, payloadLen: 32 } as const;

export const CHUNKS = {
  none: 0,
  offsetData: 1,
  offsetHole: 2,
  blockStatus: 5,
  blockStatusExt: 6,
  error: 0x8001,
  errorOffset: 0x8002,
} as const;

/** Flag of a chunk: it is the last one of its reply. */
export const CHUNK_DONE = 1;

/** Errors that may stand in a reply, by name. */
export const ERRORS = {
  EPERM: 1,
  EIO: 5,
  ENOMEM: 12,
  EINVAL: 22,
  ENOSPC: 28,
  EOVERFLOW: 75,
  ENOTSUP: 95,
  ESHUTDOWN: 108,
} as const;

/** Name of an error that may stand in a reply. */
export type NbdErrorName = keyof typeof ERRORS;

/** Flags of an extent in the context `base:allocation`. */
export const ALLOCATION = { hole: 1, zero: 2 } as const;

/**
 * Metadata contexts that exports of this project answer. `sharing` is ours: it names the reason for which a write to a mapped range may
 * need space after all, which `base:allocation` would otherwise rule out.
 */
export const CONTEXTS = {
  allocation: 'base:allocation',
  /** The flags are a number: 0 not mapped, 1 mapped here alone, 2 shared with another volume. */
  allocationDepth: 'qemu:allocation-depth',
  sharing: 'x-persistent-data:sharing',
  /** Followed by a name of the export's choice; flag 1 is "differs". */
  dirtyBitmap: 'qemu:dirty-bitmap:',
} as const;

/** Flags of an extent in the context `x-persistent-data:sharing`: a write here has to copy a block, and needs space for it. */
export const SHARING = { shared: 1 } as const;

/** Bounds of the protocol, and those that are ours where it leaves room. */
export const BOUNDS = {
  /** Bytes of a name, a description, a message: longer ones must not be sent. */
  stringBytes: 4096,
  /** Bytes of a payload, or of what a read asks for. */
  payloadBytes: 32 * 1024 * 1024,
  /** Extents in one chunk of a block status. */
  extents: 1 << 20,
  /** Bytes of an export: what a `number` can say exactly. */
  exportBytes: Number.MAX_SAFE_INTEGER,
} as const;

/** IANA's TCP port. */
export const DEFAULT_PORT = 10809;
