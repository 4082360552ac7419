import type { Finding } from '../base/index.ts';
import { METADATA_BLOCK_SECTORS, SUPERBLOCK_LOCATION } from '../format/index.ts';
import { hintSizeProblem, KNOWN_POLICIES, policyNameProblem } from './policy.ts';
import { type CacheSuperblock, isCacheBlockSize } from './superblock.ts';

/** Checks the fields of a superblock that has passed its validator. Answers whether what it refers to can be looked at. */
export function* checkSuperblock(superblock: CacheSuperblock, nrBlocks: number): Generator<Finding, boolean> {
  const { version, metadataBlockSize, dataBlockSize, incompatFlags, policy, hintRoot } = superblock;
  if (version !== 1 && version !== 2) {
    yield fatal('cache.version', `unsupported metadata version ${version}`);
    return false;
  }
  if (incompatFlags !== 0) {
    yield fatal('cache.feature', `superblock incompatFlags is ${incompatFlags}, none is known`);
    return false;
  }
  if (metadataBlockSize !== METADATA_BLOCK_SECTORS) {
    yield fatal('cache.superblock', `superblock metadataBlockSize is ${metadataBlockSize}, 8 sectors are wanted`);
    return false;
  }
  if (!isCacheBlockSize(dataBlockSize)) {
    const wanted = 'a multiple of 64 sectors up to 2097152 is wanted';
    yield {
      ...fatal('cache.block-size', `superblock dataBlockSize is ${dataBlockSize}, ${wanted}`),
      severity: 'warning',
    };
  }
  const name = policyNameProblem(policy.name);
  if (name !== undefined)
    yield fatal('cache.policy', `superblock policyName is ${JSON.stringify(policy.name)}: ${name}`);
  else if (policy.name !== '' && !KNOWN_POLICIES.includes(policy.name)) {
    const message = `superblock policyName is "${policy.name}", a policy that is not known`;
    yield { ...fatal('cache.policy', message), severity: 'warning' };
  }
  if (hintRoot !== 0 && hintSizeProblem(policy.hintSize) !== undefined) {
    const wanted = 'cache_check only supports policy hint size of 4';
    yield fatal('cache.hint-size', `superblock policyHintSize is ${policy.hintSize}: ${wanted}`);
  }
  if (version === 2 && superblock.dirtyRoot === 0) yield fatal('cache.dirty', 'dirty bitset not found');
  for (const field of ['mappingRoot', 'hintRoot', 'discardRoot', 'dirtyRoot'] as const) {
    const found = superblock[field];
    if (found >= nrBlocks)
      yield fatal('block.outside', `superblock ${field} is ${found}, the device has ${nrBlocks} blocks`);
  }
  return true;
}

function fatal(code: string, message: string): Finding {
  return { severity: 'fatal', code, message, block: SUPERBLOCK_LOCATION };
}
