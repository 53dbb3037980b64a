/** `drover schedule`: goals that begin again and again. */
import { defineCommand } from 'citty';
import { addCommand } from './schedule/add.js';
import { listCommand } from './schedule/list.js';
import { pauseCommand, removeCommand, resumeCommand, runCommand } from './schedule/switch.js';

export const scheduleCommand = defineCommand({
  meta: { name: 'schedule', description: 'Have goals begin again and again, at given times' },
  subCommands: {
    add: addCommand,
    list: listCommand,
    run: runCommand,
    pause: pauseCommand,
    resume: resumeCommand,
    remove: removeCommand,
  },
});
