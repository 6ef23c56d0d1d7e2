import { ServerConnectionError } from './errors.ts';

/**
 * The part of a browser's audio used here, declared by hand: the sources are checked with Node's types as well, which
 * know none of it.
 */
export interface BrowserAudioNode {
  connect(destination: BrowserAudioNode): unknown;
  disconnect(): void;
}

export interface BrowserMessagePort {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(message: unknown, transfer?: ArrayBuffer[]): void;
}

export interface BrowserWorkletNode extends BrowserAudioNode {
  readonly port: BrowserMessagePort;
}

export interface BrowserMediaStream {
  getTracks(): readonly { stop(): void }[];
}

export interface BrowserAudioContext {
  readonly sampleRate: number;
  readonly destination: BrowserAudioNode;
  readonly audioWorklet: { addModule(url: string): Promise<void> };
  createMediaStreamSource(stream: BrowserMediaStream): BrowserAudioNode;
  resume(): Promise<void>;
  close(): Promise<void>;
}

interface BrowserAudio {
  readonly AudioContext: new (options: { sampleRate: number }) => BrowserAudioContext;
  readonly AudioWorkletNode: new (
    context: BrowserAudioContext,
    name: string,
    options?: { processorOptions?: unknown; numberOfInputs?: number; outputChannelCount?: number[] },
  ) => BrowserWorkletNode;
  readonly navigator: {
    readonly mediaDevices?: {
      getUserMedia(constraints: { audio: Readonly<Record<string, unknown>> }): Promise<BrowserMediaStream>;
    };
  };
  readonly Blob: new (parts: string[], options: { type: string }) => object;
  readonly URL: { createObjectURL(blob: object): string; revokeObjectURL(url: string): void };
}

/** The browser we run in. Read when used, so that the SDK loads where there is no audio. */
export function browserAudio(): BrowserAudio {
  return globalThis as unknown as BrowserAudio;
}

/** What a page serves itself is not there when its server is gone, and the browser's error would not say so. */
async function addServedModule(context: BrowserAudioContext, url: string): Promise<void> {
  try {
    await context.audioWorklet.addModule(url);
  } catch (cause) {
    throw new ServerConnectionError(`${url} cannot be loaded: is the server still running?`, undefined, {
      cause,
    });
  }
}

/**
 * Loads a worklet from its source text: the SDK is one file and nobody has to serve a second one. A page whose
 * content security policy forbids `blob:` serves the text itself and gives its URL.
 * @throws ServerConnectionError when that URL cannot be loaded.
 */
export async function loadWorklet(
  context: BrowserAudioContext,
  source: string,
  servedUrl: string | undefined,
): Promise<void> {
  if (servedUrl !== undefined) {
    await addServedModule(context, servedUrl);
    return;
  }
  const { Blob, URL } = browserAudio();
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  try {
    await context.audioWorklet.addModule(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}
