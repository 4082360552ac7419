import { flushFolderOf } from './file-open.ts';
import { builtinModule } from './platform.ts';
import { deviceError } from './system-error.ts';

/** Puts file `from` in the place of file `to`, atomically and durably. Both are in the same folder; `from` was flushed. */
export function replaceFile({ from, to }: { readonly from: string; readonly to: string }): void {
  const fs = builtinModule('node:fs');
  try {
    // A link stays a link: what it leads to is replaced.
    fs.renameSync(from, fs.realpathSync(to));
    flushFolderOf(from);
  } catch (cause) {
    throw deviceError(`replace ${to}`, cause);
  }
}

/** The path of a file without symbolic links. */
export function realFile(path: string): string {
  try {
    return builtinModule('node:fs').realpathSync(path);
  } catch (cause) {
    throw deviceError(`find ${path}`, cause);
  }
}
