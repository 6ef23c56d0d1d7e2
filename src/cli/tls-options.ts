import { readFileSync } from 'node:fs';
import * as tls from 'node:tls';
import type { Command, Option } from 'commander';
import { InvalidOptionError, describeError } from '../kernel/index.ts';
import type { Logger } from '../kernel/index.ts';
import type { HoldfastServer, TlsPair } from '../server/index.ts';

/** With what certificate `web` and `api-server` are to speak. */
export interface TlsFlags {
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

export function addTlsOptions(
  command: Command,
  option: (flags: string, description: string) => Option,
): Command {
  return command
    .addOption(
      option('--tls-cert <file>', 'speak https and wss with this certificate, in PEM; read again on SIGHUP'),
    )
    .addOption(option('--tls-key <file>', 'its key, in PEM'));
}

/** The pair in the files; undefined without. @throws InvalidOptionError for one of the two, or a file that cannot be read. */
export function readTlsPair({ tlsCert = '', tlsKey = '' }: TlsFlags): TlsPair | undefined {
  if (tlsCert === '' && tlsKey === '') return undefined;
  if (tlsCert === '' || tlsKey === '') {
    throw new InvalidOptionError('--tls-cert and --tls-key go together: give both, or none.');
  }
  return { cert: readPem('--tls-cert', tlsCert), key: readPem('--tls-key', tlsKey) };
}

/** Certificates are renewed while the server runs: a signal has it read the files again. */
export function renewTlsOnSignal(server: HoldfastServer, flags: TlsFlags, log: Logger): void {
  process.on('SIGHUP', () => {
    try {
      const pair = readTlsPair(flags);
      if (pair !== undefined) server.renewTls(pair);
    } catch (error) {
      log.error('the certificate is not renewed; the one before is shown', { error: describeError(error) });
    }
  });
}

/**
 * Trusts also the authority in this file, in all connections of this process.
 * @throws InvalidOptionError when it cannot be read, or this Node cannot do that.
 */
export function trustAuthority(path: string): void {
  const pem = readPem('--ca', path);
  // Node 22.19 and 24.5 brought it; the one a checkout brings has it.
  const { setDefaultCACertificates, getCACertificates } = tls as Partial<typeof tls>;
  if (setDefaultCACertificates === undefined || getCACertificates === undefined) {
    throw new InvalidOptionError(
      '--ca needs Node 22.19 or 24.5. Set NODE_EXTRA_CA_CERTS to the file instead.',
    );
  }
  try {
    setDefaultCACertificates([...getCACertificates('default'), pem]);
  } catch (cause) {
    throw new InvalidOptionError(`--ca ${path} is no certificate in PEM.`, { cause });
  }
}

function readPem(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new InvalidOptionError(`${flag} ${path} cannot be read: ${describeError(cause)}.`, { cause });
  }
}
