import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from './checkout.ts';

export const tlsFile = (name: string): string => join(CHECKOUT, 'test/fixtures/tls', name);

const read = (name: string): string => readFileSync(tlsFile(name), 'utf8');

/** What a server shows. */
export const FIRST = { cert: read('cert.pem'), key: read('key.pem') };

/** What it shows after a renewal. */
export const RENEWED = { cert: read('renewed-cert.pem'), key: read('renewed-key.pem') };
