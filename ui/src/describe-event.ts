import { describeConnection } from 'holdfast/client';
import type { ClientEvent } from './page-action.ts';

/** A live event in a few words, without its type. Empty where the type says it all. */
export function describeEvent(event: ClientEvent): string {
  switch (event.type) {
    case 'text':
    case 'transcript': {
      const speaker = event.type === 'transcript' ? `${event.speaker}: ` : '';
      return `${speaker}“${event.text}”${event.partial ? ' …' : ''}`;
    }
    case 'content':
      return `${event.content.parts.length} parts`;
    case 'toolCall':
      return event.calls.map(({ name, args }) => `${name} ${JSON.stringify(args)}`).join(', ');
    case 'toolCallCancellation':
      return event.ids.join(', ');
    case 'toolResult':
      return `${event.result.name} ${JSON.stringify(event.result.response)}`;
    case 'interrupted':
      return `at sample ${event.positionSamples}${event.provisional === true ? ', provisionally' : ''}`;
    case 'resumed':
      return `at sample ${event.positionSamples}`;
    case 'generationComplete':
      return '';
    case 'turnComplete':
      return [`turn ${event.turn}`, event.interrupted ? 'interrupted' : '', event.reason ?? '']
        .filter((word) => word !== '')
        .join(', ');
    case 'voiceActivity':
      return event.activity;
    case 'usage':
      return `${event.usage.totalTokens} tokens, ${event.total.totalTokens} so far`;
    case 'goAway':
      return event.timeLeftMs === undefined ? 'the model' : `the model, in ${event.timeLeftMs / 1_000} s`;
    case 'connection':
      return describeConnection(event);
    case 'agentChanged':
      return `${event.agent}, after ${event.previous} (${event.why})`;
    case 'stateChanged':
      return Object.keys(event.stateDelta).join(', ');
    case 'userState':
      return event.state;
    case 'limit':
      return `${event.limit}, after ${event.afterMs / 1_000} s`;
    case 'warning':
      return `${event.code}: ${event.message}`;
    case 'unknown':
      return JSON.stringify(event.message)?.slice(0, MAX_UNKNOWN_CHARACTERS) ?? '';
  }
}

const MAX_UNKNOWN_CHARACTERS = 120;
