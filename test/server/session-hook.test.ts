import { describe, expect, it } from 'vitest';
import type { AgentSession } from '../../src/session/index.ts';
import { LogBook } from '../support/live-rig.ts';
import { startServer, until } from '../support/live-server.ts';

describe('onLiveSession', () => {
  it('C3 is given each live session before it starts, and what it hands over ends with the call', async () => {
    const states: string[] = [];
    const ended: string[] = [];
    await using test = await startServer({
      onLiveSession: (session: AgentSession) => {
        states.push(session.state);
        session.attach('mine', {}, { phase: 'hooks', close: () => void ended.push(session.session.id) });
      },
    });
    await test.createSession();
    const client = await test.welcomed('s1');
    expect(states).toEqual(['new']);
    client.socket.close();
    await until('what was handed over is let go of', () => ended.length > 0);
    expect(ended).toEqual(['s1']);
  });

  it.each([
    [
      'throws',
      (): void => {
        throw new Error('no');
      },
    ],
    ['rejects', (): Promise<void> => Promise.reject(new Error('no'))],
  ])('C8 a hook that %s is logged, and the call goes on', async (_name, onLiveSession) => {
    const { log, lines } = new LogBook();
    await using test = await startServer({ onLiveSession, log });
    await test.createSession();
    await test.welcomed('s1');
    await until('it is live', () => test.model.openConnections === 1);
    await until('it is told', () => lines.some(({ message }) => message === 'onLiveSession failed'));
  });
});
