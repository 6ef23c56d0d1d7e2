import { createConnection } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Haproxy } from '../support/balancer.ts';
import { pause } from '../drain-drill/timeline.ts';
import { BALANCERS } from './stage.ts';
import { Witness } from './witness.ts';

// What becomes of a request on its way through the balancers.

const BOUND_MS = 90_000;

describe.concurrent.each(BALANCERS)('%s', (_name, start) => {
  it(
    'tells the server the client’s address and no other, and passes events on as they come',
    { timeout: BOUND_MS },
    async () => {
      await using one = await Witness.listen();
      await using two = await Witness.listen();
      await using balancer = await start([one.port, two.port]);
      const body = JSON.stringify({ app_name: 'a', user_id: 'u', session_id: 's' });
      const response = await fetch(`${balancer.url}/run_sse`, {
        method: 'POST',
        headers: { 'x-forwarded-for': '203.0.113.9', 'content-type': 'application/json' },
        body,
      });
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      expect(await reader?.read()).toMatchObject({ value: 'data: first\n\n' });
      const asked = one.headers.length > 0 ? one : two;
      expect(asked.headers).toEqual([expect.objectContaining({ 'x-forwarded-for': '127.0.0.1' })]);
      asked.goOn();
      expect(await reader?.read()).toMatchObject({ value: 'data: second\n\n' });
    },
  );

  it('keeps what is for those who run it from the world', { timeout: BOUND_MS }, async () => {
    await using one = await Witness.listen();
    await using two = await Witness.listen();
    await using balancer = await start([one.port, two.port]);
    for (const path of ['/metrics', '/admin', '/admin/drain', '/%61dmin/drain', '/admin/../admin/drain']) {
      expect({ path, status: (await fetch(balancer.url + path)).status }).toEqual({ path, status: 404 });
    }
    expect([...one.paths, ...two.paths]).toEqual([]);
  });

  it('does not wait for ever for a client that says its request slowly', { timeout: BOUND_MS }, async () => {
    await using one = await Witness.listen();
    await using balancer = await start([one.port, one.port]);
    const { port } = new URL(balancer.url);
    const socket = createConnection(Number(port), '127.0.0.1');
    const startedAtMs = performance.now();
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n');
    const drip = setInterval(() => socket.write('X-Slow: 1\r\n'), 1_000);
    socket.on('error', () => undefined);
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
    clearInterval(drip);
    expect(performance.now() - startedAtMs).toBeLessThan(20_000);
    expect(one.paths).toEqual([]);
  });
});

describe.concurrent('HAProxy and a server that is busy', () => {
  it('D1 goes on sending it calls while another one drains', { timeout: BOUND_MS }, async () => {
    await using draining = await Witness.listen({ status: 503, afterMs: 0 });
    // Slower than the second in which it is asked again, as a machine is that does too much.
    await using busy = await Witness.listen({ status: 200, afterMs: 1_500 });
    await using haproxy = await Haproxy.start([draining.port, busy.port]);
    await haproxy.until(0, /^NOLB$/);
    while (busy.checks < 3) await pause(100);
    expect((await haproxy.states())[1].status).toMatch(/^UP/);
    const response = await fetch(`${haproxy.url}/list-apps`);
    expect(response.status).toBe(200);
    await response.body?.cancel();
    expect(busy.paths).toEqual(['/list-apps']);
  });
});
