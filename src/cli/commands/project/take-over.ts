/** `drover project take-over`: lets this log work in a repository that another one worked in. */
import { counted } from '../../../core/counted.js';
import { openExisting } from '../../../engine/workspaces/registering.js';
import { putAsideAll } from '../../../workspace/owner.js';
import { defineDroverCommand } from '../../command.js';
import { EXIT } from '../../exit.js';
import { print, printJson } from '../../output.js';
import { projectsOf } from '../../projects.js';

export const takeOverCommand = defineDroverCommand({
  name: 'take-over',
  description: "Put aside what another data directory's goals left in a project's repository",
  args: { name: { type: 'positional', description: 'Name of the project' } },
  examples: [
    {
      run: 'drover project take-over shop',
      what: 'Renames its branches below autonomous/ and refs/drover/; nothing is lost.',
    },
  ],
  async run({ args: { name }, globals }) {
    const { repository } = await openExisting(projectsOf(globals), name);
    const aside = await putAsideAll(repository);
    if (globals.json) printJson({ aside });
    else {
      for (const ref of aside) print(ref);
      print(
        aside.length === 0
          ? `Nothing of Drover's is in the repository of ${name}.`
          : `${counted(aside.length, 'reference is', 'references are')} put aside; ${name} is free for goals of this data directory.`,
      );
    }
    return EXIT.done;
  },
});
