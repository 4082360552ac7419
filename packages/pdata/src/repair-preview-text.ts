/** What `thin_repair --preview` prints. */

import type { BlockDevice } from 'persistent-data/io';
import {
  type DevicePreview,
  type FoundRoots,
  type MappingCandidate,
  planRepair,
  previewRepair,
  type RepairOptions,
} from 'persistent-data/thin';
import { printJson } from './print-json.ts';
import { writeStdout } from './standard-output.ts';

/** A candidate, as the preview lists it. */
interface Listed {
  readonly mapping: MappingCandidate;
  /** `undefined`: none fit, they would be made up. */
  readonly detailsRoot: number | undefined;
  readonly isChosen: boolean;
  readonly devices: readonly DevicePreview[];
}

/** Prints each candidate in the order in which a repair takes them; with `--choose` the chosen one alone. */
export function printPreview(device: BlockDevice, found: FoundRoots, options: RepairOptions, asJson: boolean): void {
  const chosen = chosenMapping(found, options);
  const candidates = options.mappingRoot === undefined ? inOrder(found) : [chosen].filter((c) => c !== undefined);
  const listed = candidates.map((mapping): Listed => {
    const pair = found.pairs.find((each) => each.mapping === mapping);
    const devices = previewRepair(device, found, mapping);
    return { mapping, detailsRoot: pair?.details.block, isChosen: mapping === chosen, devices };
  });
  if (asJson) {
    const shown = listed.map(({ mapping, detailsRoot, isChosen, devices }) => ({
      mappingRoot: mapping.block,
      detailsRoot: detailsRoot ?? null,
      isChosen,
      nrDevices: mapping.devices.size,
      nrMappings: mapping.nrMappings,
      newestTime: mapping.age,
      devices,
    }));
    printJson({ version: 1, superblock: found.superblock === undefined ? 'lost' : 'readable', candidates: shown });
  } else if (listed.length === 0) writeStdout('no compatible roots found\n');
  else writeStdout(listed.map(candidateText).join('\n'));
}

/** What a repair would take; `undefined` when there is nothing. A block size that has to be given is no matter here. */
function chosenMapping(found: FoundRoots, options: RepairOptions): MappingCandidate | undefined {
  if (found.mapping.length === 0) return undefined;
  const overrides = { dataBlockSizeSectors: found.superblock?.dataBlockSize ?? 128, ...options.overrides };
  return planRepair(found, { ...options, overrides }).mapping;
}

/** Candidates with details first, as a repair tries them. */
function inOrder({ pairs, mapping }: FoundRoots): MappingCandidate[] {
  return [...new Set([...pairs.map((pair) => pair.mapping), ...mapping])];
}

function candidateText({ mapping, detailsRoot, isChosen, devices }: Listed): string {
  const details =
    detailsRoot === undefined ? 'no details fit, they would be made up' : `details at block ${detailsRoot}`;
  const title = `mappings at block ${mapping.block}, ${details}${isChosen ? '  <- would be taken' : ''}`;
  const size = `  ${mapping.devices.size} devices, ${mapping.nrMappings} mappings, newest of time ${mapping.age}`;
  return `${[title, size, ...devices.map(deviceText)].join('\n')}\n`;
}

function lossText({ lost, lostAtLeast, lostAtMost }: DevicePreview): string {
  if (lost !== null) return `${lost} lost`;
  if (lostAtMost !== null) return `${lostAtLeast} to ${lostAtMost} lost, the latest cannot all be read`;
  return `at least ${lostAtLeast} lost, the latest cannot all be read`;
}

function deviceText(preview: DevicePreview): string {
  const { id, fate, mappings, kept, changed, lost, revived, times, ranges } = preview;
  const newest = times[0] === undefined ? '' : `, newest of time ${times[0][0]}`;
  if (fate === 'lost') return `  device ${id}: LOST${lost === null ? '' : `, with ${lost} mappings`}`;
  if (fate === 'kept') return `  device ${id}: kept, ${kept} mappings${newest}`;
  if (fate === 'revived') return `  device ${id}: comes back, ${mappings} mappings${newest}`;
  const parts = [
    `${kept} mappings kept`,
    `${changed} go back to older data`,
    lossText(preview),
    `${revived} come back`,
  ];
  const unreadable = ranges
    .filter(({ kind }) => kind === 'unreadable')
    .map(({ begin, end }) => `\n    cannot be read now: virtual blocks ${begin}..${end ?? ''}`);
  return `  device ${id}: changes, ${parts.join(', ')}${newest}${unreadable.join('')}`;
}
