import type { ComponentChild } from 'preact';
import type { EventLog, LogLine } from '../event-log.ts';
import { useFollowEnd } from './use-follow-end.ts';

/** Everything the server told, audio left out. Closed until somebody wants to know. */
export function EventList({ log }: { readonly log: EventLog }): ComponentChild {
  const end = useFollowEnd<HTMLDetailsElement>(log);
  return (
    <details class="events" ref={end}>
      <summary>
        Events <span class="count">{log.total}</span>
      </summary>
      <ol class="event-lines">
        {log.lines.map((line) => (
          <EventItem key={line.id} line={line} />
        ))}
      </ol>
    </details>
  );
}

function EventItem({ line }: { readonly line: LogLine }): ComponentChild {
  const { atMs, type, detail, isProblem } = line;
  return (
    <li class={isProblem ? 'event event-problem' : 'event'}>
      <time>{timeText(atMs)}</time>
      <span class="event-type">{type}</span>
      <span class="event-detail">{detail}</span>
    </li>
  );
}

/** The time of day to the millisecond, where the reader is. */
function timeText(atMs: number): string {
  const at = new Date(atMs);
  const milliseconds = String(at.getMilliseconds()).padStart(3, '0');
  return `${at.toTimeString().slice(0, 8)}.${milliseconds}`;
}
