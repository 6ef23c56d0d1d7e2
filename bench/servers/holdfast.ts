import { Agent, AudioChunk, gemini } from 'holdfast';
import type { LiveModel } from 'holdfast';
import { createServer } from 'holdfast/server';
import type { WsTransport } from '../../src/models/ws-transport.ts';
import { cannedAudio } from '../canned-audio.ts';
import { DOWN_BYTES, HEADER_BYTES } from '../wires.ts';
import type { ModelWire } from '../wires.ts';
import { serveRelay } from './relay-operations.ts';

/** As the command does it, which is how a server is run. */
interface GarbageCollectionModule {
  countBuffersWithHeap(): boolean;
}

/** The transport is not exported: users give no sockets to dial, only models. */
interface TransportModule {
  readonly WsTransport: new () => WsTransport;
}

/** Holdfast as it is built, with every limit where it is, but those that a load of the bench would reach. */

const [modelWire, providerPort] = process.argv.slice(2) as [ModelWire, string];
const OUTPUT_RATE_HZ = 24_000;
const capabilities = { resumption: false, inputRateHz: 16_000, outputRateHz: OUTPUT_RATE_HZ };
const tail = cannedAudio(DOWN_BYTES);

/** Returns every frame at once, as long as a frame of the model's voice; it neither listens nor resamples. */
const loopback: LiveModel = {
  id: 'loopback',
  capabilities,
  connect: async (_setup, sink) => ({
    bufferedBytes: 0,
    send(input) {
      if (input.type !== 'audio') return true;
      const { pcm } = input.audio;
      const answer = Buffer.concat([pcm, tail.subarray(pcm.byteLength)]);
      sink.output({ type: 'audio', audio: AudioChunk.fromPcm(answer, OUTPUT_RATE_HZ) });
      return true;
    },
  }),
};

/** Speaks bare binary frames over the product's own transport: the session's machinery, and no codec. */
async function binary(): Promise<LiveModel> {
  const built = new URL('../../dist/models/ws-transport.js', import.meta.url).href;
  const { WsTransport } = (await import(built)) as TransportModule;
  const transport = new WsTransport();
  const header = Buffer.alloc(HEADER_BYTES);
  header[0] = 1;
  return {
    id: 'binary',
    capabilities,
    async connect(_setup, sink, scope) {
      const url = `ws://127.0.0.1:${providerPort}/binary`;
      const socket = await transport.dial(
        url,
        {
          maxMessageBytes: 65_536,
          sink: {
            message: (data) =>
              sink.output({
                type: 'audio',
                audio: AudioChunk.fromPcm(data.subarray(HEADER_BYTES), OUTPUT_RATE_HZ),
              }),
            closed: (end) => sink.ended(end),
          },
        },
        scope,
      );
      return {
        get bufferedBytes() {
          return socket.bufferedBytes;
        },
        send: (input) => input.type !== 'audio' || socket.send(Buffer.concat([header, input.audio.pcm])),
      };
    },
  };
}

const models: Readonly<Record<ModelWire, () => LiveModel | Promise<LiveModel>>> = {
  loopback: () => loopback,
  binary,
  gemini: () =>
    gemini({
      model: 'gemini-2.5-flash-native-audio-latest',
      apiKey: 'bench',
      baseUrl: `http://127.0.0.1:${providerPort}`,
    }),
};

const built = new URL('../../dist/cli/garbage-collection.js', import.meta.url).href;
((await import(built)) as GarbageCollectionModule).countBuffersWithHeap();

const server = createServer({
  agents: { bench: new Agent({ name: 'bench', model: await models[modelWire]() }) },
  maxLiveSessions: 100_000,
  maxMessagesPerSecond: 1_000_000,
  // All of them are one user, and how far it goes is what is measured.
  maxLiveSessionsPerUser: 100_000,
  newSessionsPerMinutePerUser: 1_000_000,
  maxSessionsPerUser: 1_000_000,
  maxConnections: 100_000,
  maxEventLoopUtilization: 1,
});
const { port } = await server.listen(0);
serveRelay(port, () => server.liveSessions);
