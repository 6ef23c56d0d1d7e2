import type {
  AudioDropped,
  LiveEvent,
  LiveRequest,
  ResumeRequest,
  ServerHello,
  TakenInput,
} from '../protocol/index.ts';

/** The agent's voice, as a client gets it. */
export interface ReceivedAudio {
  readonly samples: Int16Array;
  /** How many samples of the agent's audio came before these. */
  readonly positionSamples: number;
  readonly rateHz: number;
}

/** The server asks to be left: by when, and whether to come again. */
export interface ServerGoAway {
  readonly timeLeftMs: number;
  readonly reconnect: boolean;
}

/** A message was refused by the server, or one of the server's was not understood. The session goes on. */
export interface WireFault {
  readonly code: string;
  readonly message: string;
}

/** What a message of the server is read as. */
export type Incoming =
  | { readonly type: 'hello'; readonly hello: ServerHello }
  | { readonly type: 'event'; readonly event: Exclude<LiveEvent, { readonly type: 'audio' }> }
  | { readonly type: 'audio'; readonly audio: ReceivedAudio }
  | { readonly type: 'goAway'; readonly goAway: ServerGoAway }
  | { readonly type: 'audioDropped'; readonly dropped: AudioDropped }
  | { readonly type: 'taken'; readonly taken: TakenInput }
  | { readonly type: 'error'; readonly error: WireFault };

/** The code under which a message of the server that is not understood is told. */
export const UNREADABLE_MESSAGE_CODE = 'HOLDFAST_UNREADABLE_MESSAGE';

/** One of the two languages of `/run_live`, from the client's side. One instance belongs to one client. */
export interface ClientWire {
  readonly subprotocols: readonly string[];
  /** What to send first. Undefined where the connection is open as soon as the socket is. */
  greeting(resume: ResumeRequest | undefined): string | undefined;
  /** How many samples of the user's audio there have been. */
  readonly sentSamples: number;
  audio(pcm: Uint8Array): string | Uint8Array<ArrayBuffer>;
  request(request: Exclude<LiveRequest, { readonly type: 'audio' }>): string;
  /** Undefined where the wire has no word for it. */
  ack(seq: number): string | undefined;
  playout(positionSamples: number): string | undefined;
  /** Asks whether the server is there. */
  ping(): string | undefined;
  receive(data: string | Uint8Array, deliver: (incoming: Incoming) => void): void;
}
