import type { ComponentChild } from 'preact';
import type { Traffic } from '../traffic.ts';

/** The call in numbers. */
export function TrafficTable({ traffic }: { readonly traffic: Traffic }): ComponentChild {
  const { sentMs, sentFrames, receivedMs, receivedFrames, firstAudioMs } = traffic;
  return (
    <dl class="traffic">
      <div title={`${sentFrames} frames`}>
        <dt>Sent</dt>
        <dd data-fact="sent">{seconds(sentMs)}</dd>
      </div>
      <div title={`${receivedFrames} frames`}>
        <dt>Received</dt>
        <dd data-fact="received">{seconds(receivedMs)}</dd>
      </div>
      <div title="From your last sound or message to the first audio of the last spoken answer">
        <dt>First audio</dt>
        <dd data-fact="latency">{firstAudioMs === undefined ? '–' : `${Math.round(firstAudioMs)} ms`}</dd>
      </div>
    </dl>
  );
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
