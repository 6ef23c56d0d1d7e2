import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addServeOptions } from './serve-options.ts';

describe('the flags of a server', () => {
  it('stand in the help in groups, each in one, and only the help itself in none', () => {
    const help = addServeOptions(new Command('web')).helpInformation();
    const groups = new Map<string, string[]>();
    let group: string[] = [];
    for (const line of help.split('\n')) {
      if (/^\S.*:$/.test(line)) groups.set(line, (group = []));
      const flag = /^ {2}(?:-h, )?(--[a-z-]+)/.exec(line)?.[1];
      if (flag !== undefined) group.push(flag);
    }
    expect([...groups.keys()]).toEqual([
      'Arguments:',
      'Agents, model and sessions:',
      'Listening and TLS:',
      'Who may use it:',
      'Limits:',
      'Shutting down:',
      'Logs and records:',
      'Options:',
    ]);
    expect(groups.get('Options:')).toEqual(['--help']);
    expect(groups.get('Shutting down:')).toEqual([
      '--drain-timeout',
      '--pre-drain-delay',
      '--platform-grace',
    ]);
    const empty = [...groups].filter(([heading, flags]) => heading !== 'Arguments:' && flags.length === 0);
    expect(empty).toEqual([]);
  });

  it('take a list that holds nothing, an empty variable say, for none', async () => {
    const names = ['--allow-host', '', '--allow-origins', ' , ', '--jwt-algorithms', ''];
    const command = addServeOptions(new Command('web')).action(() => undefined);
    await command.parseAsync(names, { from: 'user' });
    expect(command.opts()).toMatchObject({ allowHost: [], allowOrigins: [], jwtAlgorithms: [] });
  });
});
