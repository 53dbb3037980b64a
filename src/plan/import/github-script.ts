/** The steps of a GitHub job as one shell command. */
import { shellWord } from '../../core/shell-word.js';
import { oneLine } from './fields.js';
import type { Finding, Item } from './item.js';

type Variables = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Scope {
  readonly matrix: Readonly<Record<string, string>>;
  /** Variables of the whole workflow. */
  readonly env: Variables;
}

export interface Step {
  readonly name: string | undefined;
  readonly run: string;
  readonly env: Variables;
  readonly folder: string | undefined;
  readonly isOptional: boolean;
}

const EXPRESSION = /\$\{\{([^{}]*)\}\}/g;
const SECRET = /^\s*\$\{\{\s*secrets\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}\s*$/;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

export class Script {
  private readonly env: Record<string, string> = {};
  private readonly secrets = new Set<string>();
  /** Variables that take the value of a secret of another name. */
  private readonly renamed: string[] = [];
  private readonly steps: string[] = [];

  constructor(
    private readonly scope: Scope,
    private readonly findings: Finding[],
  ) {
    this.addVariables(scope.env, 'env');
  }

  get isEmpty(): boolean {
    return this.steps.length === 0;
  }

  /** Variables of every step. */
  addVariables(variables: Variables, where: string): void {
    for (const [name, value, secret] of this.read(variables, where)) {
      if (secret !== undefined) this.renamed.push(`export ${name}="$${secret}"`);
      else if (value !== undefined) this.env[name] = value;
    }
  }

  addStep({ name, run, env, folder, isOptional }: Step, where: string): void {
    const lines = [...this.read(env, `${where}.env`)].map(([key, value, secret]) =>
      secret === undefined
        ? `export ${key}=${shellWord(value ?? '')}`
        : `export ${key}="$${secret}"`,
    );
    if (folder !== undefined) lines.push(`cd ${shellWord(this.replace(folder, where))}`);
    // As GitHub runs it: in a bash of its own that ends at the first command that fails.
    lines.push(`bash -e -c ${shellWord(this.replace(run.trimEnd(), `${where}.run`))}`);
    const body = lines.length === 1 ? lines[0]! : `(\nset -e\n${lines.join('\n')}\n)`;
    const title = name === undefined ? '' : `# ${oneLine(name)}\n`;
    this.steps.push(`${title}${body}${isOptional ? ' || true' : ''}`);
  }

  work(): Item['work'] {
    const secrets = [...this.secrets];
    return {
      run: this.isEmpty ? 'true' : ['set -e', ...this.renamed, ...this.steps].join('\n'),
      ...(Object.keys(this.env).length > 0 && { env: { ...this.env } }),
      ...(secrets.length > 0 && { secrets }),
    };
  }

  /** Each variable with its value, or with the secret that it takes its value from. */
  private *read(
    variables: Variables,
    where: string,
  ): Generator<[name: string, value?: string | undefined, secret?: string]> {
    for (const [name, written] of Object.entries(variables)) {
      if (!NAME.test(name)) {
        this.tell(where, `‘${oneLine(name)}’ is no name of a variable`, 'It is left out.');
        continue;
      }
      const value = String(written ?? '');
      const [, secret] = SECRET.exec(value) ?? [];
      if (secret === undefined) {
        yield [name, this.replace(value, `${where}.${name}`)];
      } else {
        this.secrets.add(secret);
        if (secret !== name) yield [name, undefined, secret];
      }
    }
  }

  /** Puts in what is known of the matrix and the workflow's variables. */
  private replace(text: string, where: string): string {
    return text.replace(EXPRESSION, (written, inner: string) => {
      const [, kind, name] = /^\s*(matrix|env)\.([\w-]+)\s*$/.exec(inner) ?? [];
      const values: Variables =
        kind === 'matrix' ? this.scope.matrix : { ...this.scope.env, ...this.env };
      const value = name !== undefined && Object.hasOwn(values, name) ? values[name] : undefined;
      if (value !== undefined && value !== null && !String(value).includes('${{')) {
        return String(value);
      }
      this.tell(
        where,
        `${oneLine(written)} is known to GitHub only`,
        'It stays as it is: replace it.',
      );
      return written;
    });
  }

  private tell(where: string, message: string, done: string): void {
    this.findings.push({ kind: 'unsupported', where, message, done });
  }
}
