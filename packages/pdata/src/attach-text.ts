/** What a server tells people when it begins: where it is, and how to use it. */

/** Names that are shown. */
const SHOWN = 8;

export function attachText(served: {
  readonly title: string;
  /** Of the first export. */
  readonly uri: string;
  readonly names: readonly string[];
  readonly folder: string | undefined;
}): string {
  const { title, uri, names, folder } = served;
  // In a repository the program is not on the path.
  const program = process.env.npm_lifecycle_event === undefined ? 'pdata' : 'npx pdata';
  const [first] = names;
  const more = names.length > SHOWN ? `, and ${names.length - SHOWN} more` : '';
  const lines = [title, `  exports: ${names.slice(0, SHOWN).join(', ') || 'none yet'}${more}`, `  ${uri}`, ''];
  if (first !== undefined) {
    const quoted = `'${uri}'`;
    lines.push(
      'Use it:',
      `  nbdinfo ${quoted}`,
      `  nbdcopy disk.img ${quoted}`,
      `  qemu-system-x86_64 -m 1G -drive file=${quoted},format=raw,if=virtio`,
    );
    if (uri.startsWith('nbds')) {
      lines.push(
        '  Clients say how to prove who they are: USER@ and tls-psk-file=FILE, or tls-certificates=FOLDER, in the URI.',
      );
    } else lines.push(`  ${kernelClient(uri, first)}`);
  }
  if (folder !== undefined) {
    lines.push(
      'While it is in use, from another terminal:',
      `  ${program} volume create ${folder} NAME --size 1G`,
      ...(first === undefined ? [] : [`  ${program} volume snapshot ${folder} ${first} NAME`]),
      `  ${program} volume list ${folder}`,
    );
  }
  lines.push('', 'Stop it with Ctrl-C.');
  return lines.join('\n');
}

/** The kernel's own client, which wants root. */
function kernelClient(uri: string, name: string): string {
  const { hostname, port, searchParams } = new URL(uri);
  const socket = searchParams.get('socket');
  const where = socket === null ? `${hostname} ${port}` : `-unix ${socket}`;
  return `sudo nbd-client ${where} /dev/nbd0 -name ${name}`;
}
