import type { Server } from 'node:net';
import { InvalidOptionError, describeError } from '../kernel/index.ts';

/**
 * Makes a server listen; `who` is what it is called in the message.
 * @throws InvalidOptionError when the port cannot be had.
 */
export async function listen(server: Server, who: string, host: string, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (cause) {
    throw new InvalidOptionError(
      `The ${who} cannot listen on port ${port} of ${host}: ${describeError(cause)}. ` +
        'Give another port, or 0 for any free one.',
      { cause },
    );
  }
}
