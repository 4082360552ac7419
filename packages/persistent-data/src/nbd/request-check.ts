import { DEFAULT_BLOCK_SIZE, type NbdExport } from './export.ts';
import { NbdError } from './nbd-error.ts';
import { type ReplyForm, transmissionFlags } from './option-reply.ts';
import { COMMAND_FLAGS, COMMAND_NAMES, COMMANDS, CONTEXTS, TRANSMISSION_FLAGS } from './protocol.ts';
import type { Request } from './reply-head.ts';

/** What a connection may ask of its export. */
export interface Target {
  readonly export: NbdExport;
  readonly size: number;
  readonly min: number;
  readonly max: number;
  readonly form: ReplyForm;
  /** As they were told to the client. */
  readonly transmissionFlags: number;
  /** Selected metadata contexts. */
  readonly contexts: readonly string[];
  /** Whether the export can tell what is allocated, selected or not. */
  readonly knowsHoles: boolean;
}

export function newTarget(served: NbdExport, form: ReplyForm, contexts: readonly string[]): Target {
  const { min, max } = served.blockSize ?? DEFAULT_BLOCK_SIZE;
  return {
    export: served,
    size: served.size,
    min,
    max,
    form,
    transmissionFlags: transmissionFlags(served, form),
    contexts,
    knowsHoles: form.structured && served.contexts?.includes(CONTEXTS.allocation) === true,
  };
}

/** What each command may carry besides FUA, which is tolerated anywhere, and which offer it needs. By number. */
const RULES: readonly { readonly flags: number; readonly offer: number; readonly changes: boolean }[] = [
  { flags: COMMAND_FLAGS.df, offer: 0, changes: false },
  { flags: COMMAND_FLAGS.payloadLen, offer: 0, changes: true },
  { flags: 0, offer: 0, changes: false },
  { flags: 0, offer: 0, changes: false },
  { flags: 0, offer: TRANSMISSION_FLAGS.sendTrim, changes: true },
  { flags: 0, offer: TRANSMISSION_FLAGS.sendCache, changes: false },
  { flags: COMMAND_FLAGS.noHole | COMMAND_FLAGS.fastZero, offer: TRANSMISSION_FLAGS.sendWriteZeroes, changes: true },
  { flags: COMMAND_FLAGS.reqOne | COMMAND_FLAGS.payloadLen, offer: 0, changes: false },
];

/** Whether a command changes the export: then FUA means something. */
export function changesExport(type: number): boolean {
  return RULES[type]?.changes ?? false;
}

/** What is wrong with a request; `undefined` when it may be done. `length` is that of the range. O(1). */
export function checkRequest(request: Request, target: Target): NbdError | undefined {
  const { type } = request;
  const rule = RULES[type];
  if (rule === undefined) return new NbdError('EINVAL', `command ${type} is not known`);
  const wrongFlags = request.flags & ~(rule.flags | COMMAND_FLAGS.fua);
  if (wrongFlags !== 0 || !hasAllowedForm(request, target)) {
    return new NbdError('EINVAL', `flags 0x${request.flags.toString(16)} are not allowed for ${COMMAND_NAMES[type]}`);
  }
  // The read-only error comes before the one of a missing offer: nothing that changes is offered on a read-only export.
  if (rule.changes && (target.transmissionFlags & TRANSMISSION_FLAGS.readOnly) !== 0) {
    return new NbdError('EPERM', 'the export is read-only');
  }
  if ((target.transmissionFlags & rule.offer) !== rule.offer) {
    return new NbdError('EINVAL', `${COMMAND_NAMES[type]} is not offered`);
  }
  if (type === COMMANDS.flush) {
    return request.offset === 0 && request.length === 0
      ? undefined
      : new NbdError('EINVAL', 'offset and length of a flush are to be 0');
  }
  return checkRange(request, target);
}

/** Flags that depend on what was agreed. */
function hasAllowedForm({ type, flags }: Request, { form, transmissionFlags }: Target): boolean {
  const flag = COMMAND_FLAGS;
  if ((flags & flag.df) !== 0 && !form.structured) return false;
  if ((flags & flag.fastZero) !== 0 && (transmissionFlags & TRANSMISSION_FLAGS.sendFastZero) === 0) return false;
  // With extended headers a payload has to be announced; without them the flag does not exist.
  if (type === COMMANDS.write) return ((flags & flag.payloadLen) !== 0) === form.extended;
  return (flags & flag.payloadLen) === 0 || form.extended;
}

function checkRange(
  { type, offset, length }: Request,
  { size, min, max, contexts, form }: Target,
): NbdError | undefined {
  if (offset > size || length > size - offset) {
    const errno = type === COMMANDS.write || type === COMMANDS.writeZeroes ? 'ENOSPC' : 'EINVAL';
    return new NbdError(errno, `offset ${offset} and length ${length} exceed the size ${size}`);
  }
  if (offset % min !== 0 || length % min !== 0) {
    return new NbdError('EINVAL', `offset ${offset} or length ${length} is no multiple of the block size ${min}`);
  }
  if (length > max && (type === COMMANDS.read || type === COMMANDS.write)) {
    const errno = form.extended && type === COMMANDS.read ? 'EOVERFLOW' : 'EINVAL';
    return new NbdError(errno, `length ${length} exceeds the longest payload, ${max}`);
  }
  if (type === COMMANDS.blockStatus && contexts.length === 0) {
    return new NbdError('EINVAL', 'no metadata context was selected');
  }
  return undefined;
}
