import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { cannedAudio } from '../canned-audio.ts';
import { DOWN_BYTES, HEADER_BYTES } from '../wires.ts';
import { serveRelay } from './relay-operations.ts';

/**
 * The floor: `ws`, binary frames, and nothing done to them but copying. With a provider's port it has two legs,
 * without it every frame goes back at once, as long as a frame of the model's voice.
 */

const [providerPort] = process.argv.slice(2);
const tail = cannedAudio(HEADER_BYTES + DOWN_BYTES);

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
server.on('connection', (client) => {
  client.on('error', () => client.terminate());
  const model =
    providerPort === undefined
      ? undefined
      : new WebSocket(`ws://127.0.0.1:${providerPort}/binary`, { perMessageDeflate: false });
  model?.on('error', () => model.terminate());
  model?.on('message', (data) => client.send(Buffer.from(data as Buffer)));
  client.on('close', () => model?.close());
  client.on('message', (data, isBinary) => {
    if (!isBinary) client.send('{"type":"hello"}');
    else if (model === undefined) client.send(loopedBack(data as Buffer));
    else if (model.readyState === WebSocket.OPEN) model.send(Buffer.from(data as Buffer));
  });
});

function loopedBack(frame: Buffer): Buffer {
  const answer = Buffer.allocUnsafe(HEADER_BYTES + DOWN_BYTES);
  frame.copy(answer);
  tail.copy(answer, frame.length, frame.length);
  return answer;
}

server.once('listening', () => serveRelay((server.address() as AddressInfo).port, () => server.clients.size));
