import type { Turn } from './client-message.ts';

/** Audio costs this many tokens a second, text about one a four characters: the vendor's published figures. */
const AUDIO_TOKENS_PER_SECOND = 25;
const CHARACTERS_PER_TOKEN = 4;

export type TokenModality = 'TEXT' | 'AUDIO';

export interface TokenCount {
  readonly modality: TokenModality;
  readonly tokenCount: number;
}

interface ContextTurn extends Turn {
  readonly audioMs: number;
}

/**
 * What a model remembers of a conversation: its turns, spoken ones too, and how much audio it has heard.
 *
 * It is a value: adding to it makes a new one. A resumption handle stands for the value it was issued with, so that a
 * resumed connection knows exactly what the handle's moment knew, and nothing that came after it.
 */
export class ConversationContext {
  readonly turns: readonly ContextTurn[];
  /** Input samples heard in all, whatever their rate and on however many connections. */
  readonly inputSamples: number;
  /** Where the brain stands in what it has to say. */
  readonly place: number;

  private constructor(turns: readonly ContextTurn[], inputSamples: number, place: number) {
    this.turns = turns;
    this.inputSamples = inputSamples;
    this.place = place;
  }

  static readonly empty = new ConversationContext([], 0, 0);

  plus(turn: Turn, audioMs = 0): ConversationContext {
    return new ConversationContext([...this.turns, { ...turn, audioMs }], this.inputSamples, this.place);
  }

  plusInputSamples(samples: number): ConversationContext {
    return new ConversationContext(this.turns, this.inputSamples + samples, this.place);
  }

  at(place: number): ConversationContext {
    return new ConversationContext(this.turns, this.inputSamples, place);
  }

  get tokens(): readonly TokenCount[] {
    return countTokens(this.turns);
  }

  get tokenCount(): number {
    return totalTokens(this.tokens);
  }

  /** Forgets the oldest turns until no more than `targetTokens` are left; what is left begins with the user's. */
  slideTo(targetTokens: number): ConversationContext {
    let turns = this.turns;
    while (
      turns.length > 0 &&
      (totalTokens(countTokens(turns)) > targetTokens || turns[0]?.role !== 'user')
    ) {
      turns = turns.slice(1);
    }
    return new ConversationContext(turns, this.inputSamples, this.place);
  }
}

export function totalTokens(counts: readonly TokenCount[]): number {
  return counts.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
}

/** Tokens of the turns by modality, kinds that do not occur left out. A spoken turn counts as audio only. */
export function countTokens(
  turns: readonly { readonly text: string; readonly audioMs: number }[],
): TokenCount[] {
  let text = 0;
  let audio = 0;
  for (const turn of turns) {
    if (turn.audioMs > 0) audio += Math.ceil((turn.audioMs * AUDIO_TOKENS_PER_SECOND) / 1000);
    else text += Math.ceil(turn.text.length / CHARACTERS_PER_TOKEN);
  }
  const counts: TokenCount[] = [
    { modality: 'TEXT', tokenCount: text },
    { modality: 'AUDIO', tokenCount: audio },
  ];
  return counts.filter(({ tokenCount }) => tokenCount > 0);
}
