/**
 * The commands of `drover` by name. Each is loaded when it is named, so that `--help` is quick and `doctor`
 * runs where a dependency does not load.
 */
import type { CommandDef } from 'citty';
import type { Example } from './command.js';
import { GLOBAL_ARGS } from './globals.js';
import { readVersion } from './version.js';

export const COMMANDS: Readonly<Record<string, () => Promise<CommandDef>>> = {
  run: async () => (await import('./commands/run.js')).runFlowCommand,
  up: async () => (await import('./commands/up.js')).upCommand,
  down: async () => (await import('./commands/down.js')).downCommand,
  agent: async () => (await import('./commands/agent.js')).agentCommand,
  enqueue: async () => (await import('./commands/enqueue.js')).enqueueCommand,
  status: async () => (await import('./commands/status.js')).statusCommand,
  goals: async () => (await import('./commands/goals.js')).goalsCommand,
  logs: async () => (await import('./commands/logs.js')).logsCommand,
  replay: async () => (await import('./commands/replay.js')).replayCommand,
  audit: async () => (await import('./commands/audit.js')).auditCommand,
  log: async () => (await import('./commands/log.js')).logCommand,
  retry: async () => (await import('./commands/retry.js')).retryCommand,
  cancel: async () => (await import('./commands/cancel.js')).cancelCommand,
  limit: async () => (await import('./commands/limit.js')).limitCommand,
  skip: async () => (await import('./commands/skip.js')).skipCommand,
  edit: async () => (await import('./commands/edit.js')).editCommand,
  rerun: async () => (await import('./commands/rerun.js')).rerunCommand,
  add: async () => (await import('./commands/add.js')).addCommand,
  inbox: async () => (await import('./commands/inbox.js')).inboxCommand,
  approve: async () => (await import('./commands/approve.js')).approveCommand,
  reject: async () => (await import('./commands/approve.js')).rejectCommand,
  signal: async () => (await import('./commands/signal.js')).signalCommand,
  pause: async () => (await import('./commands/pause.js')).pauseCommand,
  resume: async () => (await import('./commands/pause.js')).resumeCommand,
  validate: async () => (await import('./commands/validate.js')).validateCommand,
  import: async () => (await import('./commands/import.js')).importCommand,
  export: async () => (await import('./commands/export.js')).exportCommand,
  schedule: async () => (await import('./commands/schedule.js')).scheduleCommand,
  graph: async () => (await import('./commands/graph.js')).graphCommand,
  diff: async () => (await import('./commands/diff.js')).diffCommand,
  rollback: async () => (await import('./commands/rollback.js')).rollbackCommand,
  worktrees: async () => (await import('./commands/worktrees.js')).worktreesCommand,
  prune: async () => (await import('./commands/worktrees.js')).pruneCommand,
  project: async () => (await import('./commands/project.js')).projectCommand,
  doctor: async () => (await import('./commands/doctor.js')).doctorCommand,
};

export const PROGRAM: CommandDef = {
  meta: {
    name: 'drover',
    version: readVersion(),
    description: 'A durable workflow engine for autonomous agents',
  },
  args: {
    ...GLOBAL_ARGS,
    version: { type: 'boolean', description: 'Print the version' },
    help: { type: 'boolean', alias: 'h', description: 'Explain the program, or a command' },
  },
  subCommands: COMMANDS,
};

export const PROGRAM_EXAMPLES: readonly Example[] = [
  { run: 'drover run flows/hello.yaml', what: 'Runs a flow to its end, with everything it needs.' },
  { run: 'drover up --detach', what: 'Starts a supervisor with agents in the background.' },
  { run: 'drover enqueue flow.yaml --wait', what: 'Hands it a goal and waits for the end.' },
  { run: 'drover status', what: 'Shows what runs, and what waits for a person.' },
];
