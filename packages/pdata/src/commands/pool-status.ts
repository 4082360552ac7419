/** `pool status`: how full a pool is, and what it can do now. */

import type { NamedPoolStatus } from 'persistent-data/pool';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { withPool } from '../pool-session.ts';
import { printJson } from '../print-json.ts';
import { readableBytes } from '../size-text.ts';
import { writeStdout } from '../standard-output.ts';

export async function run(args: Arguments): Promise<number> {
  const folder = args.operand(0);
  const { status, server } = await withPool(folder, { readOnly: true }, async (session) => ({
    status: (await session.call('status')) as NamedPoolStatus,
    server: session.server,
  }));
  if (args.has('json'))
    printJson({ version: 1, pool: folder, server: server ?? null, ...status, ...modeOf(status, server) });
  else writeStdout(`${statusLines(folder, status, server).join('\n')}\n`);
  return EXIT.ok;
}

/** Nobody knows what a pool that is not open can do, but for a flag. */
function modeOf(
  status: NamedPoolStatus,
  server: number | undefined,
): { readonly mode: string; readonly reason: string } {
  if (server === undefined) return { mode: 'closed', reason: status.needsCheck ? 'it needs a check' : '' };
  return { mode: status.mode, reason: status.mode === 'write' ? '' : status.reason };
}

function statusLines(folder: string, status: NamedPoolStatus, server: number | undefined): string[] {
  const { mode, reason } = modeOf(status, server);
  const { dataBytes, usedDataBytes, metadataBytes, usedMetadataBytes, hostFreeBytes } = status;
  const share = dataBytes === 0 ? 0 : (100 * usedDataBytes) / dataBytes;
  const free = dataBytes - usedDataBytes;
  const lines = [
    `pool      ${folder}${server === undefined ? '' : `, served by process ${server}`}`,
    `mode      ${mode}${reason === '' ? '' : `: ${reason}`}`,
    `data      ${readableBytes(usedDataBytes)} of ${readableBytes(dataBytes)} used (${share.toFixed(1)} %), ${readableBytes(free)} free`,
    `metadata  ${readableBytes(usedMetadataBytes)} of ${readableBytes(metadataBytes)} used, grows by itself`,
    `volumes   ${status.nrVolumes}, of ${readableBytes(status.promisedBytes)} together`,
  ];
  if (hostFreeBytes !== undefined) {
    const warning = hostFreeBytes < free ? ', less than the pool may take' : '';
    lines.push(`host      ${readableBytes(hostFreeBytes)} free${warning}`);
  }
  if (status.nrWaiting > 0) lines.push(`waiting   ${status.nrWaiting} requests, for data space`);
  return lines;
}
