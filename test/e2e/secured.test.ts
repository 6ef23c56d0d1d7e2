import { mkdtempSync, readFileSync, rmSync, writeFileSync, copyFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHoldfast, startService } from '../support/process.ts';
import { AUDIENCE, ISSUER, TokenForge } from '../support/token-forge.ts';
import { tlsFile } from '../support/tls-fixture.ts';

// The real command, with what a server has that strangers can reach: tokens, certificates, and no door that stands open.

const BOUND_MS = 60_000;
const TOKEN = 'token-of-the-tests-0123456789abcdef';

const forge = new TokenForge(Math.floor(Date.now() / 1_000));

let folder: string;
let issuer: ReturnType<typeof createServer>;
let keysUrl: string;
let asked = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-secured-'));
  const keys = JSON.stringify(await forge.published());
  issuer = createServer((_request, response) => {
    asked += 1;
    response.end(keys);
  });
  await new Promise<void>((resolve) => void issuer.listen(0, '127.0.0.1', resolve));
  keysUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/keys`;
});

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await new Promise((resolve) => issuer.close(resolve));
});

const bearer = (token: string): RequestInit => ({ headers: { authorization: `Bearer ${token}` } });

/** Whose certificate is shown. */
function shown(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      { port: Number(new URL(url).port), host: '127.0.0.1', rejectUnauthorized: false },
      () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      },
    );
    socket.on('error', reject);
  });
}

describe.concurrent('a server that strangers can reach', () => {
  it('does not start without authentication, and says what to do', { timeout: BOUND_MS }, async () => {
    const refused = startHoldfast(['api-server', '--port', '0', '--host', '0.0.0.0', '--store', 'memory']);
    expect((await refused.exit()).status).toBe(1);
    expect(refused.text).toContain('--insecure-no-auth');
    const malformed = startHoldfast(['api-server', '--port', '0', '--auth-token', 'short']);
    expect((await malformed.exit()).status).toBe(2);
    expect(malformed.text).toContain('at least 16');
  });

  it(
    'asks for its token: a call with it is good, one without is refused',
    { timeout: BOUND_MS },
    async () => {
      await using service = await startService(
        ['api-server', '--port', '0', '--host', '0.0.0.0', '--store', 'memory'],
        { env: { HOLDFAST_AUTH_TOKEN: TOKEN } },
      );
      const url = `http://127.0.0.1:${new URL(service.url).port}`;
      const good = startHoldfast(['call', url, '--text', 'hello'], { env: { HOLDFAST_TOKEN: TOKEN } });
      expect((await good.exit()).status).toBe(0);
      for (const wire of ['holdfast', 'adk']) {
        const bad = startHoldfast(['call', url, '--text', 'hello', '--app', 'default', '--wire', wire]);
        expect((await bad.exit()).status).toBe(1);
        expect(bad.text).toContain('asks for a token');
        expect(bad.text).toContain('HOLDFAST_TOKEN');
      }
      expect((await fetch(`${url}/health`)).status).toBe(200);
      expect((await fetch(`${url}/run`, { method: 'POST', body: '{}' })).status).toBe(401);
      expect(service.process.text).toContain('not let in');
      expect(service.process.text).not.toContain(TOKEN);
    },
  );

  it('takes the tokens of an issuer, and asks for its keys once', { timeout: BOUND_MS }, async () => {
    await using service = await startService([
      'api-server',
      '--port',
      '0',
      '--store',
      'memory',
      '--jwks-url',
      keysUrl,
      '--jwt-issuer',
      ISSUER,
      '--jwt-audience',
      AUDIENCE,
    ]);
    const call = startHoldfast(['call', service.url, '--text', 'hello', '--user', 'ada'], {
      env: { HOLDFAST_TOKEN: await forge.token() },
    });
    expect((await call.exit()).status).toBe(0);
    const token = await forge.token({ scope: 'admin' });
    expect((await fetch(`${service.url}/admin/sessions`, bearer(token))).status).toBe(200);
    expect((await fetch(`${service.url}/apps/default/users/bob/sessions`, bearer(token))).status).toBe(403);
    expect((await fetch(`${service.url}/list-apps`, bearer(await forge.token({ aud: 'x' })))).status).toBe(
      401,
    );
    expect(asked).toBe(1);
  });

  it('speaks https, and shows another certificate after SIGHUP', { timeout: BOUND_MS }, async () => {
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    copyFileSync(tlsFile('cert.pem'), cert);
    copyFileSync(tlsFile('key.pem'), key);
    await using service = await startService([
      'api-server',
      '--port',
      '0',
      '--store',
      'memory',
      '--tls-cert',
      cert,
      '--tls-key',
      key,
    ]);
    expect(service.url).toMatch(/^https:/);
    const untrusted = startHoldfast(['call', service.url, '--text', 'hello']);
    expect((await untrusted.exit()).status).toBe(1);
    expect(untrusted.text).toMatch(/self-signed|certificate/);
    const call = startHoldfast(['call', service.url, '--text', 'hello', '--ca', cert]);
    expect((await call.exit()).status).toBe(0);
    writeFileSync(key, readFileSync(tlsFile('renewed-key.pem')));
    service.process.signal('SIGHUP');
    await service.process.line(/certificate is not renewed/);
    expect(await shown(service.url)).toBe('holdfast tests');
    writeFileSync(cert, readFileSync(tlsFile('renewed-cert.pem')));
    service.process.signal('SIGHUP');
    await service.process.line(/another certificate is shown/);
    expect(await shown(service.url)).toBe('holdfast tests, renewed');
  });
});
