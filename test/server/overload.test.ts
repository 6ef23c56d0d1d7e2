import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/kernel/index.ts';
import { LOAD_SAMPLE_MS, MIN_CALLS_TO_REFUSE } from '../../src/server/limits/load-watch.ts';
import { startServer, until } from '../support/live-server.ts';

const HELLO = { role: 'user', parts: [{ text: 'Hello' }] };

describe('L a server whose event loop is too busy', () => {
  it('L refuses what is new before the cliff, keeps what it has, is ready all the time, and takes calls again', async () => {
    const clock = new VirtualClock();
    const loop = { activeMs: 0, idleMs: 0 };
    await using test = await startServer({
      clock,
      maxEventLoopUtilization: 0.8,
      eventLoop: { time: () => ({ ...loop }) },
    });
    const pass = async (busy: number): Promise<void> => {
      for (let look = 0; look < 20; look += 1) {
        loop.activeMs += LOAD_SAMPLE_MS * busy;
        loop.idleMs += LOAD_SAMPLE_MS * (1 - busy);
        await clock.advance(LOAD_SAMPLE_MS);
      }
    };
    const clients = [];
    for (let call = 0; call <= MIN_CALLS_TO_REFUSE; call += 1) {
      clients.push(await test.welcomed(await test.createSession(`s${call}`)));
    }
    await until('all are connected', () => test.model.openConnections === clients.length);
    await test.createSession('late');
    await pass(0.95);

    const refused = await test.adk('late').refused;
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
    expect(JSON.parse(refused.body)).toMatchObject({ code: 'HOLDFAST_UNAVAILABLE' });
    expect((await test.request('/apps/demo/users/u/sessions', {})).status).toBe(503);
    const turn = { appName: 'demo', userId: 'u', sessionId: 'late', newMessage: HELLO };
    expect((await test.request('/run', turn)).status).toBe(503);
    // Balancers that took it out would send those elsewhere who come back to what they have here.
    expect((await test.request('/ready')).status).toBe(200);
    const { text } = await test.request('/metrics');
    expect(text).toContain('holdfast_limits_reached_total{limit="event_loop"} 3');
    expect(Number(/^holdfast_event_loop_utilization (\S+)/m.exec(text)?.[1])).toBeCloseTo(0.95, 1);

    const [first] = clients;
    const token = first?.having('type', 'hello')[0]?.['resumeToken'];
    first?.socket.terminate();
    await first?.closed;
    const back = await test.holdfast('s0').opened();
    back.send({ type: 'hello', protocol: 1, resume: { token, seq: 0, positionSamples: 0 } });
    await until('it is back', () => back.having('type', 'hello').length === 1);
    expect(back.having('type', 'hello')[0]).toMatchObject({ resumed: true });
    expect(test.model.openConnections).toBe(clients.length);

    await pass(0.5);
    await test.adk('late').opened();
  });
});
