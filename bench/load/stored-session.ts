import { Agent, request } from 'node:http';

const agent = new Agent({ keepAlive: true, maxSockets: 4, timeout: 1_000 });

/** Creates a session on a Holdfast server, so that a client may connect to it. */
export function createSession(port: number, id: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const path = `/apps/bench/users/load/sessions/${id}`;
    const post = request({ host: '127.0.0.1', port, path, method: 'POST', agent }, (response) => {
      response.resume();
      response.on('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`session ${id} was not created: HTTP ${response.statusCode}`));
      });
    });
    post.on('error', reject);
    post.end();
  });
}
