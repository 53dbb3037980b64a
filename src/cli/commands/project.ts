/** `drover project`: the repositories that goals work in. */
import { defineCommand } from 'citty';
import { addCommand, newCommand } from './project/add.js';
import { listCommand } from './project/list.js';
import { removeCommand } from './project/remove.js';
import { showCommand } from './project/show.js';
import { takeOverCommand } from './project/take-over.js';

export const projectCommand = defineCommand({
  meta: { name: 'project', description: 'Let goals work in repositories of yours' },
  subCommands: {
    add: addCommand,
    new: newCommand,
    list: listCommand,
    show: showCommand,
    remove: removeCommand,
    'take-over': takeOverCommand,
  },
});
