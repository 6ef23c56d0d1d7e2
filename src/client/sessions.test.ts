import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../kernel/index.ts';
import { ServerConnectionError, ServerResponseError, createSession, listApps } from './index.ts';
import { liveUrl } from './server-url.ts';

function answering(status: number, body: string, seen: [string, RequestInit][] = []): typeof fetch {
  return (input, init) => {
    seen.push([input instanceof Request ? input.url : input.toString(), init ?? {}]);
    return Promise.resolve(new Response(body, { status }));
  };
}

describe('sessions of a server', () => {
  it('lists apps and creates sessions under whatever path the server is served', async () => {
    const seen: [string, RequestInit][] = [];
    const url = 'ws://host:1/base/';
    expect(await listApps({ url, fetch: answering(200, '["a","b"]', seen) })).toEqual(['a', 'b']);
    const fetch = answering(200, '{"id":"s1","state":{}}', seen);
    expect(await createSession({ url, fetch, appName: 'a b', userId: 'u/1', sessionId: 's1' })).toEqual({
      id: 's1',
      appName: 'a b',
      userId: 'u/1',
    });
    expect(seen.map(([address]) => address)).toEqual([
      'http://host:1/base/list-apps',
      'http://host:1/base/apps/a%20b/users/u%2F1/sessions',
    ]);
    expect(seen[1]?.[1]?.body).toBe('{"sessionId":"s1"}');
  });

  it('tells an error of the server by its status, and a missing server by what to do', async () => {
    const url = 'http://127.0.0.1:9';
    const conflict = createSession({ url, fetch: answering(409, 'exists'), appName: 'a', userId: 'u' });
    await expect(conflict).rejects.toThrow(ServerResponseError);
    await expect(listApps({ url, fetch: answering(200, 'no json') })).rejects.toThrow(
      /not answered with JSON/,
    );
    await expect(listApps({ url })).rejects.toThrow(ServerConnectionError);
    await expect(listApps({ url })).rejects.toThrow(/is a server running there/);
    await expect(listApps({ url: 'nowhere' })).rejects.toThrow(InvalidOptionError);
  });

  it('says what the server says of a refusal, not the JSON around it', async () => {
    const refusal = (body: string) => listApps({ url: 'http://127.0.0.1:9', fetch: answering(404, body) });
    await expect(refusal('{"error":"No such app.","code":"X"}')).rejects.toThrow(/with 404: No such app\.$/);
    await expect(refusal('{"detail":"Gone."}')).rejects.toThrow(/with 404: Gone\.$/);
    for (const body of ['null', '{"error":{}}', '<html>']) {
      await expect(refusal(body)).rejects.toThrow(`with 404: ${body}`);
    }
  });

  it('P1 the live address carries the names as a query', () => {
    const parts = { appName: 'a b', userId: 'u', sessionId: 's' };
    expect(liveUrl({ url: 'https://host/x', ...parts })).toBe(
      'wss://host/x/run_live?app_name=a+b&user_id=u&session_id=s',
    );
    expect(() => liveUrl({ url: 'ftp://host', ...parts })).toThrow(/ftp:/);
  });
});
