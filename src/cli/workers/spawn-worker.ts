import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import type { FromWorker, ToWorker } from './messages.ts';
import { placeEnvironment } from './place.ts';
import type { WorkerPlace } from './place.ts';
import { stopReading } from './stop-reading.ts';
import type { SpawnWorker, WorkerProcess } from './worker-slot.ts';

/**
 * Starts workers as children that run the same command line, write to the same streams, and have a channel to us. They are in
 * our process group, but not bound to our life: a child that loses its channel goes on (decision 0018).
 */
export function spawnWorkers({ count, folder }: Pick<WorkerPlace, 'count' | 'folder'>): SpawnWorker {
  return (slot, replaced, sink) => {
    const place: WorkerPlace = { slot, count, replaced, folder };
    const [, program = '', ...parameters] = process.argv;
    const child = fork(program, parameters, {
      env: { ...process.env, ...placeEnvironment(place) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    child.on('message', (message, handle) =>
      sink.message(message as FromWorker, handle instanceof Socket ? guarded(handle) : undefined),
    );
    let hasEnded = false;
    const ended = (status: number | null, signal: string | null): void => {
      if (hasEnded) return;
      hasEnded = true;
      sink.ended({ status, signal });
    };
    child.on('exit', ended);
    // It could not be started, or not be told something; only the first is an end.
    child.on('error', (error) => {
      if (child.pid === undefined) ended(null, error.message);
    });
    return processOf(child);
  };
}

function processOf(child: ChildProcess): WorkerProcess {
  return {
    pid: child.pid,
    send: (message: ToWorker, socket) => {
      if (!child.connected) {
        socket?.destroy();
        return;
      }
      // What cannot be told to a process that ends is lost with it: a client that was passed on comes back.
      child.send(message, socket, { keepOpen: false }, (error) => {
        if (error !== null) socket?.destroy();
      });
    },
    kill: () => void child.kill('SIGKILL'),
    signal: (name) => void child.kill(name),
  };
}

/** A socket is an object with errors of its own for as long as it is on its way, and is not ours to read. */
function guarded(socket: Socket): Socket {
  stopReading(socket);
  return socket.on('error', () => socket.destroy());
}
