import { ParseError } from '../base/index.ts';

/** What can be asked of a pool by a message, as the kernel's target takes them. Device ids are below 2^24. */
export type PoolMessage =
  | { readonly do: 'create_thin'; readonly id: number }
  | { readonly do: 'create_snap'; readonly id: number; readonly origin: number }
  | { readonly do: 'delete'; readonly id: number }
  | { readonly do: 'set_transaction_id'; readonly expected: number; readonly next: number }
  | { readonly do: 'reserve_metadata_snap' | 'release_metadata_snap' };

/** The numbers that follow each word. */
const NR_ARGUMENTS: Readonly<Record<PoolMessage['do'], number>> = {
  create_thin: 1,
  create_snap: 2,
  delete: 1,
  set_transaction_id: 2,
  reserve_metadata_snap: 0,
  release_metadata_snap: 0,
};

/** Reads a message. Transaction ids up to 2^53 - 1 can be said in one. @throws {ParseError} when it is none. */
export function parseMessage(text: string): PoolMessage {
  const [word = '', ...rest] = text.trim().split(/\s+/);
  const wanted = Object.hasOwn(NR_ARGUMENTS, word) ? NR_ARGUMENTS[word as PoolMessage['do']] : undefined;
  if (wanted === undefined) {
    throw new ParseError(`Cannot read message "${text}": ${Object.keys(NR_ARGUMENTS).join(', ')} are known`, 1, 1);
  }
  if (rest.length !== wanted) {
    throw new ParseError(
      `Cannot read message "${text}": ${rest.length} numbers follow ${word}, ${wanted} are wanted`,
      1,
      1,
    );
  }
  const [a = 0, b = 0] = rest.map((digits) => parseNumber(text, digits));
  switch (word as PoolMessage['do']) {
    case 'create_thin':
      return { do: 'create_thin', id: a };
    case 'create_snap':
      return { do: 'create_snap', id: a, origin: b };
    case 'delete':
      return { do: 'delete', id: a };
    case 'set_transaction_id':
      return { do: 'set_transaction_id', expected: a, next: b };
    case 'reserve_metadata_snap':
      return { do: 'reserve_metadata_snap' };
    case 'release_metadata_snap':
      return { do: 'release_metadata_snap' };
  }
}

function parseNumber(text: string, digits: string): number {
  const value = /^\d{1,16}$/.test(digits) ? Number(digits) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new ParseError(`Cannot read message "${text}": "${digits}" is not a number below 2^53`, 1, 1);
}
