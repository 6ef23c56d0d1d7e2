/** What one ear's audio is heard with. */
export interface SpeechModelStream {
  /** How likely it is that somebody speaks in these samples, which follow the ones before; from 0 to 1. */
  probability(samples: Int16Array): number | Promise<number>;
  /** Forgets the stream. */
  reset(): void;
}

export interface SpeechModel {
  open(): SpeechModelStream;
}

/** What a module gives to be a model in a thread of its own. `options` were cloned on their way. */
export interface SpeechModelModule {
  loadSpeechModel(options: unknown): SpeechModel | Promise<SpeechModel>;
}

/** What a thread begins with. */
export interface ThreadSetup {
  /** URL of a {@link SpeechModelModule}. */
  readonly module: string;
  readonly options: unknown;
}

export type ToThread =
  | { readonly type: 'window'; readonly ear: number; readonly window: number; readonly samples: Int16Array }
  | { readonly type: 'reset'; readonly ear: number }
  | { readonly type: 'gone'; readonly ear: number };

export type FromThread =
  | { readonly type: 'ready' }
  | {
      readonly type: 'probability';
      readonly ear: number;
      readonly window: number;
      readonly probability: number;
    };
