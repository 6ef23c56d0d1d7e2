// A user's program at its shortest: it loops, closes its queue, and has nothing more to do. It never calls exit().

import { gemini } from '../../../src/models/gemini/index.ts';
import { Agent, LiveRequestQueue, runLive } from '../../../src/session/index.ts';

const queue = new LiveRequestQueue();
const model = gemini({ model: 'gemini-2.5-flash', apiKey: 'any', baseUrl: String(process.argv[2]) });
const run = runLive({ agent: new Agent({ name: 'clerk', model }), queue });
for await (const event of run) {
  if (event.type === 'connection' && event.state === 'connected') queue.close();
}
process.stdout.write(`returned ${(await run.closed).reason}\n`);
