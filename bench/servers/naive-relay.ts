import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { cannedAudio } from '../canned-audio.ts';
import { DOWN_BYTES, HEADER_BYTES } from '../wires.ts';
import { serveRelay } from './relay-operations.ts';

/** The relay as one writes it on the first day: `ws`, JSON.parse and JSON.stringify, and base64 through Buffers. */

const [clientWire, providerPort] = process.argv.slice(2);
const tail = cannedAudio(DOWN_BYTES);

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
server.on('connection', (client) => {
  client.on('error', () => client.terminate());
  let sent = 0;
  const tell = (pcm: Buffer): void => {
    sent += 1;
    client.send(clientWire === 'adk' ? adkEvent(pcm, sent) : binaryFrame(pcm, sent * (pcm.length / 2)));
  };
  const model = providerPort === undefined ? undefined : dial(providerPort, tell);
  client.on('close', () => model?.close());
  client.on('message', (data, isBinary) => {
    if (clientWire === 'binary' && !isBinary) {
      client.send('{"type":"hello"}');
      return;
    }
    const pcm = isBinary ? (data as Buffer).subarray(HEADER_BYTES) : pcmOf((data as Buffer).toString());
    if (model === undefined) tell(Buffer.concat([pcm, tail.subarray(pcm.length)]));
    else if (model.readyState === WebSocket.OPEN) model.send(realtimeInput(pcm));
  });
});

function dial(port: string, tell: (pcm: Buffer) => void): WebSocket {
  const model = new WebSocket(`ws://127.0.0.1:${port}/gemini`, { perMessageDeflate: false });
  model.on('error', () => model.terminate());
  model.on('open', () => model.send(JSON.stringify({ setup: { model: 'models/bench' } })));
  model.on('message', (data) => {
    const message = JSON.parse((data as Buffer).toString());
    for (const part of message.serverContent?.modelTurn?.parts ?? []) {
      if (part.inlineData !== undefined) tell(Buffer.from(part.inlineData.data, 'base64'));
    }
  });
  return model;
}

function pcmOf(text: string): Buffer {
  return Buffer.from(JSON.parse(text).blob.data, 'base64');
}

function realtimeInput(pcm: Buffer): string {
  const audio = { mimeType: 'audio/pcm;rate=16000', data: pcm.toString('base64') };
  return JSON.stringify({ realtimeInput: { audio } });
}

function adkEvent(pcm: Buffer, seq: number): string {
  const inlineData = { mimeType: 'audio/pcm;rate=24000', data: pcm.toString('base64url') };
  return JSON.stringify({
    id: `bench-${seq}`,
    invocationId: 'bench',
    author: 'bench',
    timestamp: Date.now() / 1_000,
    content: { role: 'model', parts: [{ inlineData }] },
    actions: { stateDelta: {}, artifactDelta: {}, requestedAuthConfigs: {}, requestedToolConfirmations: {} },
  });
}

function binaryFrame(pcm: Buffer, position: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header[0] = 2;
  header.writeUIntBE(position, 2, 6);
  return Buffer.concat([header, pcm]);
}

server.once('listening', () => serveRelay((server.address() as AddressInfo).port, () => server.clients.size));
