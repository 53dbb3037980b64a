/** A project for people, and for programs. */
import type { OpenProject } from '../../engine/workspaces/projects.js';
import { withoutPassword } from '../../workspace/remote.js';
import { cell, renderTable } from './table.js';

const locationOf = ({ repository: { url, dir } }: OpenProject): string =>
  url === undefined ? dir : withoutPassword(url);

export function projectJson(name: string, project: OpenProject): object {
  const { repository, settings, isOwn } = project;
  return {
    name,
    kind: isOwn ? 'own' : repository.kind,
    repository: locationOf(project),
    base: repository.base,
    settings,
  };
}

export function renderProject(name: string, project: OpenProject): string[] {
  const { repository, settings, isOwn } = project;
  const { check, setup, links, land, merge, push, sandbox } = settings;
  const commands = (list: readonly { readonly run: string }[]): string =>
    list.map(({ run }) => run).join('; ') || 'none';
  const kind = isOwn ? "Drover's own" : repository.kind;
  const rows: [string, string][] = [
    ['repository', `${locationOf(project)} (${kind})`],
    ['base', repository.base],
    ['check', commands(check)],
    ['setup', commands(setup)],
    ['links', links.join(', ') || 'none'],
    ['land', `${land}, by ${merge}`],
    ['push', push ?? 'no'],
    ['sandbox', sandbox.mode],
  ];
  const width = process.stdout.isTTY ? process.stdout.columns : undefined;
  return [
    name,
    ...renderTable(
      rows.map(([key, text]) => [cell(`  ${key}`, 'gray'), cell(text)]),
      { width },
    ),
  ];
}
