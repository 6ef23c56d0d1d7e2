// An MCP server that is a process, for tests. What is said first on its command line is what is wrong with it.
import { spawn } from 'node:child_process';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { SERVER_LIFE_MS, makeTestServer, noteIn } from './mcp-server.ts';
import type { TestServerOptions } from './mcp-server.ts';

const [, , fault = 'none'] = process.argv;
const log = process.env['MCP_LOG'];
setTimeout(() => process.exit(9), SERVER_LIFE_MS).unref();
noteIn(log, `started ${process.pid}`);

/** Something that the server has started and that heeds no signal but the last. */
function startStubbornChild(): void {
  const program = `process.on('SIGTERM', () => undefined); setTimeout(() => undefined, ${SERVER_LIFE_MS});`;
  const child = spawn(process.execPath, ['-e', program], { stdio: 'inherit' });
  noteIn(log, `child ${child.pid}`);
}

async function serve(options: TestServerOptions): Promise<void> {
  await makeTestServer({ log, ...options }).connect(new StdioServerTransport());
}

/** Answers until all its tools are told, and reads nothing that comes after that. */
function readNothingAfterTools(): void {
  const { stdout, stdin } = process;
  const write = stdout.write.bind(stdout) as (...written: unknown[]) => boolean;
  stdout.write = (...written: unknown[]) => {
    const text = String(written[0]);
    if (text.includes('"tools":[') && !text.includes('"nextCursor"')) stdin.pause();
    return write(...written);
  };
}

function stayAlive(): void {
  setTimeout(() => undefined, SERVER_LIFE_MS);
}

switch (fault) {
  case 'none':
    await serve({});
    break;
  case 'dies':
    process.stderr.write(`no licence for ${process.env['SECRET_TOKEN']}\n`);
    process.exitCode = 7;
    break;
  case 'hangs-initialize':
    process.stdin.resume();
    stayAlive();
    break;
  case 'hangs-list':
    await serve({ list: 'hangs' });
    break;
  case 'endless-list':
    await serve({ list: 'endless' });
    break;
  case 'never-ends':
    // Neither the end of its input nor a SIGTERM ends it, and what it has started is as stubborn.
    process.on('SIGTERM', () => noteIn(log, 'SIGTERM'));
    process.stdin.on('end', () => noteIn(log, 'end of input'));
    startStubbornChild();
    stayAlive();
    await serve({});
    break;
  case 'leaves-child':
    startStubbornChild();
    await serve({});
    break;
  case 'garbage':
    process.stdout.write(
      'Welcome to the test server!\n{"jsonrpc":"2.0"\n42\n"text"\n\n{}\n[]\n\u0000\u00ff\n',
    );
    await serve({});
    break;
  case 'oversized':
    process.stdout.write(`${'x'.repeat(200_000)}\n`);
    await serve({});
    break;
  case 'deaf':
    readNothingAfterTools();
    await serve({});
    stayAlive();
    break;
  case 'closes-output':
    await serve({});
    setTimeout(() => process.stdout.end(), 300);
    stayAlive();
    break;
  default:
    throw new Error(`There is no fault '${fault}'.`);
}
