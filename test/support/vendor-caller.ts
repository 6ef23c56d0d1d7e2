import type { GoogleGenAI, LiveConnectConfig, LiveServerMessage, Session } from '@google/genai';

const RATE_HZ = 16_000;

/** One connection of the vendor's own client, and what it was told. */
export class VendorCaller {
  readonly messages: LiveServerMessage[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  session!: Session;
  #waits: { readonly check: () => boolean; readonly resolve: () => void }[] = [];

  async connect(ai: GoogleGenAI, model: string, config: LiveConnectConfig): Promise<this> {
    this.session = await ai.live.connect({
      model,
      config,
      callbacks: {
        onmessage: (message) => {
          this.messages.push(message);
          this.#look();
        },
        onclose: ({ code, reason }) => {
          this.closed = { code, reason };
          this.#look();
        },
      },
    });
    return this;
  }

  until(check: () => boolean): Promise<void> {
    if (check()) return Promise.resolve();
    return new Promise((resolve) => this.#waits.push({ check, resolve }));
  }

  /** Forgets what came so far, so that a turn can be looked at alone. */
  clear(): void {
    this.messages.length = 0;
  }

  /** Frames of 20 ms as fast as they go: the emulator's ear counts samples, not time. */
  speak(samples: Int16Array): void {
    for (let at = 0; at < samples.length; at += RATE_HZ / 50) {
      const frame = samples.slice(at, at + RATE_HZ / 50);
      const data = Buffer.from(frame.buffer).toString('base64');
      this.session.sendRealtimeInput({ audio: { data, mimeType: `audio/pcm;rate=${RATE_HZ}` } });
    }
  }

  /** Resolves when so many turns are complete. */
  turns(count: number): Promise<void> {
    return this.until(
      () =>
        this.messages.filter(({ serverContent }) => serverContent?.turnComplete === true).length === count,
    );
  }

  turnIsComplete(): boolean {
    return this.messages.some(({ serverContent }) => serverContent?.turnComplete === true);
  }

  get handles(): string[] {
    return this.messages.flatMap(({ sessionResumptionUpdate: update }) =>
      update?.resumable === true && update.newHandle !== undefined ? [update.newHandle] : [],
    );
  }

  get audio(): Int16Array {
    const chunks = this.messages
      .flatMap(({ serverContent }) => serverContent?.modelTurn?.parts ?? [])
      .map(({ inlineData }) => Buffer.from(inlineData?.data ?? '', 'base64'));
    const bytes = new Uint8Array(Buffer.concat(chunks));
    return new Int16Array(bytes.buffer, 0, bytes.byteLength / 2);
  }

  said(kind: 'inputTranscription' | 'outputTranscription'): string {
    return this.messages.map(({ serverContent }) => serverContent?.[kind]?.text ?? '').join('');
  }

  #look(): void {
    const due = this.#waits.filter(({ check }) => check());
    this.#waits = this.#waits.filter((wait) => !due.includes(wait));
    for (const { resolve } of due) resolve();
  }
}
