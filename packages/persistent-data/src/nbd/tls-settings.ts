/** TLS by certificates that lie in a folder, with the names that nbdkit and qemu use; or by keys that both sides know. */
export interface TlsFiles {
  /** Folder with `ca-cert.pem`, and `server-cert.pem` and `server-key.pem`, or `client-cert.pem` and `client-key.pem`. */
  readonly folder?: string;
  /** File with lines `USER:HEXKEY`. */
  readonly pskFile?: string;
}

export interface ServerTlsFiles extends TlsFiles {
  /** Whether clients have to show a certificate of `ca-cert.pem`. Default: false. */
  readonly verifyPeer?: boolean;
}

export interface ClientTlsFiles extends TlsFiles {
  /** For keys: which one. Default: the file's first. */
  readonly user?: string;
  /** The name that the server's certificate has to have. Default: the host; nothing is compared for unix sockets. */
  readonly serverName?: string;
}
